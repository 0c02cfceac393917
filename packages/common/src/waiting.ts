/** Await a promise, unless `signal` is or becomes aborted: then reject with its reason, and leave the promise to itself. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined);
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** When a wait is first worth a word, and how long it may be silent later. */
const sayMs = { first: 5_000, longest: 300_000 };

/**
 * A wait begins. While it takes long, `say` hears how long it has been, after pauses that double up to five minutes. What is waited for
 * belongs into what it says. Returns the wait's end.
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

/** Await a promise, and say so as `startWaitReports` does. */
export async function reportWaiting<T>(promise: Promise<T>, say: (waitedMs: number) => void): Promise<T> {
  const stopReports = startWaitReports(say);
  try {
    return await promise;
  } finally {
    stopReports();
  }
}
