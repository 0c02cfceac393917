/** Work in steps; what computes on a backend is asynchronous. */
export type Steps<Step, Result> = Generator<Step, Result> | AsyncGenerator<Step, Result>;

/**
 * The result of steps that block the thread: signals and progress bars get a turn before each. `onStep` is called with what a step
 * yields. Steps that are not finished, because one failed or the signal stopped them, are ended.
 */
export async function resultWithPauses<Step, Result>(
  steps: Steps<Step, Result>,
  signal: AbortSignal,
  onStep?: (step: Step) => void,
): Promise<Result> {
  try {
    for (;;) {
      await new Promise(setImmediate);
      signal.throwIfAborted();
      const step = await steps.next();
      if (step.done) return step.value;
      onStep?.(step.value);
    }
  } finally {
    await steps.return(undefined as never);
  }
}
