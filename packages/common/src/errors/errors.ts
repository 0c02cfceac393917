import type { z } from '@fourfold/common/zod';
import { exitCodes, type ErrorCode } from './error-codes.js';
import { inWords, systemFailureCode } from './system-errors.js';

/**
 * The error type for failures that a person can act on. `message` names the thing and the reason; `hint` says what to do about it. It
 * prints as one line, without a stack trace. `isOfMachine`: another machine may succeed.
 */
export class FourfoldError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly options: { hint?: string; cause?: unknown; isOfMachine?: boolean } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'FourfoldError';
  }
}

/** The message of an error, of those causes that add something, and the hint if there is one, on one line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const parts: string[] = [];
  for (let part: unknown = error; part instanceof Error; part = part.cause) {
    // The first part names the thing, so that a system's reason need not.
    const reason = inWords(parts.length > 0 ? ` ${messageOf(part)}` : messageOf(part)).trim();
    if (reason !== '' && !parts.some((before) => saysAlready(before, reason))) parts.push(reason.replace(/[:;,]$/, ''));
  }
  const hint = error instanceof FourfoldError && error.options.hint ? `; ${error.options.hint}` : '';
  return ((parts.join(': ') || error.name) + hint).replaceAll(/\s*\n\s*/g, ' ');
}

/** `X does not exist` says what `it does not exist` adds. */
const saysAlready = (before: string, reason: string): boolean => before.includes(reason.replace(/^it (is )?/, ''));

/** A connection that was tried at several addresses has no message of its own. */
const messageOf = (error: Error): string =>
  firstIssue(error) ??
  (error.message || (error instanceof AggregateError ? error.errors.map(describeError).join(', ') : ''));

/** Of zod's error, whose message is the JSON of all issues: the first, with the key. */
function firstIssue(error: Error): string | undefined {
  if (error.name !== 'ZodError' && error.name !== '$ZodError') return undefined;
  const [issue] = (error as z.core.$ZodError).issues;
  return [issue.path.map(String).join('.'), issue.message.replace(/^Invalid input: /, '')].filter(Boolean).join(': ');
}

/** Process exit code: that of the error's kind, but 1 if another machine may succeed. A system error has a kind, too. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof FourfoldError) return error.options.isOfMachine ? 1 : exitCodes[error.code];
  return isOfSystem(error) ? exitCodes[systemFailureCode(error.code)] : 1;
}

/** Whether it is an error of the operating system: its line says what a person needs, and its stack trace nothing. */
export const isOfSystem = (error: unknown): error is Error & { code: string } =>
  systemErrorCode(error) !== undefined && 'syscall' in (error as Error);

/** The error as one of this machine: another may succeed. An error that is neither a FourfoldError nor the system's stays as it is. */
export function asOfMachine(error: unknown): unknown {
  if (error instanceof FourfoldError) {
    return new FourfoldError(error.code, error.message, { ...error.options, isOfMachine: true });
  }
  if (!isOfSystem(error)) return error;
  return new FourfoldError(systemFailureCode(error.code), describeError(error), { cause: error, isOfMachine: true });
}

/**
 * Classify the failure of a transfer between processes: a FourfoldError is returned unchanged, a system or gRPC error as `unavailable`.
 * Rethrows any other error: it is not a failure of the transfer but a fault of this process.
 */
export function transferFailure(error: unknown): FourfoldError {
  if (error instanceof FourfoldError) return error;
  if (!(error instanceof Error) || !isOfTransfer(error)) throw error;
  return new FourfoldError('unavailable', error.message, { cause: error });
}

function isOfTransfer(error: Error): boolean {
  const isSystems = 'syscall' in error;
  const isGrpcs = 'details' in error && 'code' in error && typeof error.code === 'number';
  // Node.js's codes for a broken connection.
  return isSystems || isGrpcs || /^ERR_(STREAM|HTTP2)_/.test(systemErrorCode(error) ?? '');
}

/** The code of a Node.js system error, such as `ENOENT`; undefined for any other value. */
export function systemErrorCode(error: unknown): string | undefined {
  // A FourfoldError has codes of another kind.
  if (!(error instanceof Error) || error instanceof FourfoldError) return undefined;
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
