/** The first report of a wait, and the longest time between reports. */
const sayMs = { first: 5_000, longest: 300_000 };

/**
 * Begin a wait. `say` is called with its length so far, at intervals that double up to five minutes; it should say what is waited for.
 * Returns a function that ends the wait.
 */
export function startWaitReports(say: (waitedMs: number) => void): () => void {
  const begunMs = performance.now();
  let timer: NodeJS.Timeout;
  const arm = (afterMs: number) => {
    timer = setTimeout(() => {
      say(Math.round(performance.now() - begunMs));
      arm(Math.min(sayMs.longest, afterMs * 2));
    }, afterMs);
  };
  arm(sayMs.first);
  return () => clearTimeout(timer);
}

/** Await a promise, with reports as by `startWaitReports`. */
export async function reportWaiting<T>(promise: Promise<T>, say: (waitedMs: number) => void): Promise<T> {
  const stopReports = startWaitReports(say);
  try {
    return await promise;
  } finally {
    stopReports();
  }
}
