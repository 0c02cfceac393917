import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM'] as const;
/** How long a part may take to stop once its parent is gone. */
const orphanMs = 60_000;

/** Why work ended early: the process was asked to stop. */
export class Interruption extends Error {
  /** 130 after SIGINT, 143 after SIGTERM, as in shells. */
  readonly exitCode: number;

  constructor(signal: (typeof signals)[number]) {
    super(`stopped by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** A program that this process ran on the same terminal has failed, and has said why. */
export class ChildFailure extends Error {
  constructor(readonly exitCode: number) {
    super(`it ended with code ${exitCode}`);
  }
}

/**
 * Make the first SIGINT or SIGTERM abort the returned signal, with an `Interruption` as reason, so that the command can clean
 * up; the second one ends the process at once. Commands that do not call it end at the first.
 */
export function abortOnInterruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    process.on(signal, () => {
      const interruption = new Interruption(signal);
      if (controller.signal.aborted) process.exit(interruption.exitCode);
      controller.abort(interruption);
    });
  }
  return controller.signal;
}

/** Like `abortOnInterruption`; also aborted when the process that started this one as a part is gone. */
export function abortWithParent(): AbortSignal {
  const stop = () => process.kill(process.pid, 'SIGTERM');
  process.once('disconnect', () => {
    stop();
    // Nobody is left to kill a part that waits for servers that are gone, too.
    setTimeout(stop, orphanMs).unref();
  });
  return abortOnInterruption();
}
