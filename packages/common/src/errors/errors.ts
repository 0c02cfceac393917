/** What kind of failure it is; decides the exit code and whether a retry can help. */
export type ErrorCode =
  | 'invalid' // the user's input is wrong: config, argument, picture, weights of another shape
  | 'not-found'
  | 'corrupt' // stored bytes are not what their hash says
  | 'conflict' // another process holds the name or the term
  | 'no-space'
  | 'unavailable' // a process, service or device is unavailable, or did not answer in time
  | 'refused' // a server refuses this process or its request, which may change without this process
  | 'mismatch'; // a peer has another protocol version, backend or kind

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
  const parts = [error.message];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const { message } = cause;
    if (!parts.some((part) => part.includes(message))) parts.push(message);
  }
  const hint = error instanceof FourfoldError && error.options.hint ? `; ${error.options.hint}` : '';
  return (parts.join(': ') + hint).replaceAll(/\s*\n\s*/g, ' ');
}

/** Process exit code: 2 for a user's mistake, which a retry elsewhere does not fix; 1 for everything else. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof FourfoldError) || error.options.isOfMachine) return 1;
  return error.code === 'invalid' || error.code === 'not-found' ? 2 : 1;
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
