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
