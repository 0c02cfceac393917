import { describeError, FourfoldError, type Logger } from '@fourfold/common';

/** Ends a run before its schedule does. */
export interface EarlyEnd {
  /** Aborted with the reason. */
  readonly signal: AbortSignal;
  /** End it, with a checkpoint. */
  stop: (error: unknown) => void;
  /** Something outside the training loop failed: end it, with a checkpoint. */
  fault: (error: unknown) => void;
  /** The term or the store is lost: end it, and write nothing more that would count. */
  lose: (error: unknown) => void;
  isLost(): boolean;
}

/** `onSuccessor` is called with the reason when a newer term has taken over. */
export function createEarlyEnd(onSuccessor: (reason: string) => void, log: Logger): EarlyEnd {
  const stop = new AbortController();
  let isLost = false;
  return {
    signal: stop.signal,
    stop: (error) => stop.abort(error),
    fault(error) {
      log.error({ event: 'fault', err: error }, 'a fault outside the training loop');
      stop.abort(error);
    },
    lose(error) {
      isLost = true;
      stop.abort(error);
      if (isOfSuccessor(error)) onSuccessor(error.message);
    },
    isLost: () => isLost,
  };
}

/** Whether it says that a newer term has taken over. */
export const isOfSuccessor = (error: unknown): error is FourfoldError =>
  error instanceof FourfoldError && error.code === 'conflict';

/** Log why a run ends early, with the stack if a person cannot act on the reason. */
export function logEarlyEnd(log: Logger, error: unknown): void {
  const why = error instanceof FourfoldError ? { reason: describeError(error) } : { err: error };
  log.error({ event: 'run-ended', ...why }, 'the run ends early');
}
