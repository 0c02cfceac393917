import { setTimeout as delay } from 'node:timers/promises';

/** How often a part is asked, and how long it may be silent: as in the liveness probe of deploy/k8s/run/worker.yaml. */
const watching = { firstMs: 60_000, everyMs: 10_000, answerMs: 5_000, failures: 12 };

/**
 * Ask a part's `/healthz` from time to time. After twelve failures in a row, two minutes, it calls `onHung` and ends. Returns what
 * ends it earlier.
 */
export function watchHealth(url: string, onHung: () => void, timing = watching, ask = answers): () => void {
  const ended = new AbortController();
  const { signal } = ended;
  void (async () => {
    let failures = 0;
    await delay(timing.firstMs, undefined, { signal });
    while (failures < timing.failures) {
      failures = (await ask(url, timing.answerMs)) ? 0 : failures + 1;
      await delay(timing.everyMs, undefined, { signal });
    }
    onHung();
  })().catch(() => undefined);
  return () => ended.abort();
}

/** Whether a request is answered with success in this time. */
export async function answers(url: string, answerMs: number): Promise<boolean> {
  try {
    const { ok } = await fetch(url, { signal: AbortSignal.timeout(answerMs) });
    return ok;
  } catch {
    return false;
  }
}
