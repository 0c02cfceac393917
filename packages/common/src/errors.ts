/** What kind of failure it is; decides the exit code and whether a retry can help. */
export type ErrorCode =
  | 'invalid' // the user's input is wrong: config, argument, picture, weights of another shape
  | 'not-found'
  | 'corrupt' // stored bytes are not what their hash says
  | 'conflict' // somebody else holds the name or the term
  | 'no-space'
  | 'unavailable' // a process, service or device is not there now, or did not answer in time
  | 'refused' // a server does not let this process in, or do what it asked for: that may change without this process
  | 'mismatch'; // a peer of another protocol version, backend or kind

/**
 * The one error type for failures that a person can act on. `message` names the thing and the reason; `hint` says what
 * to do about it. It prints as one line, without a stack trace. `isOfMachine`: another machine may do better.
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

/** The error's message, and its causes' where they add something, on one line; with the hint when there is one. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const parts = [error.message];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const { message } = cause;
    if (!parts.some((part) => part.includes(message))) parts.push(message);
  }
  const hint = error instanceof FourfoldError && error.options.hint ? `; ${error.options.hint}` : '';
  return (parts.join(': ') + hint).replaceAll(/\s*\n\s*/g, ' ');
}

/** Process exit code: 2 for a user's mistake, which that trying again elsewhere does not fix; 1 for everything else. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof FourfoldError) || error.options.isOfMachine) return 1;
  return error.code === 'invalid' || error.code === 'not-found' ? 2 : 1;
}

/**
 * What the failure of a transfer between processes is to those who take part in it: an error of ours as it is, the system's and gRPC's
 * as `unavailable`. Throws everything else as it is: that is no failure of a transfer, but a fault of this process.
 */
export function transferFailure(error: unknown): FourfoldError {
  if (error instanceof FourfoldError) return error;
  if (!(error instanceof Error) || !isOfTransfer(error)) throw error;
  return new FourfoldError('unavailable', error.message, { cause: error });
}

function isOfTransfer(error: Error): boolean {
  const isSystems = 'syscall' in error;
  const isGrpcs = 'details' in error && 'code' in error && typeof error.code === 'number';
  // What Node.js calls a connection that broke.
  return isSystems || isGrpcs || /^ERR_(STREAM|HTTP2)_/.test(systemErrorCode(error) ?? '');
}

/** Narrow an unknown thrown value to a Node.js system error's code, such as `ENOENT`. */
export function systemErrorCode(error: unknown): string | undefined {
  // Ours have codes of another kind.
  if (!(error instanceof Error) || error instanceof FourfoldError) return undefined;
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
