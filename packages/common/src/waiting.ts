/** When a wait is first worth a word, and how long it may be silent later. */
const sayMs = { first: 5_000, longest: 60_000 };

/**
 * Await a promise; while it takes long, `say` hears how long it has been, at intervals that double up to a minute. What is
 * waited for belongs into what it says.
 */
export async function sayingSo<T>(promise: Promise<T>, say: (waitedMs: number) => void): Promise<T> {
  const begunMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const arm = (afterMs: number) => {
    timer = setTimeout(() => {
      say(Math.round(performance.now() - begunMs));
      arm(Math.min(sayMs.longest, afterMs * 2));
    }, afterMs);
  };
  arm(sayMs.first);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
