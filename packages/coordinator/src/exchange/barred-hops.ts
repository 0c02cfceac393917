/*
 * Workers that are no hops for a while, because something has broken off at them.
 */

interface Bar {
  untilMs: number;
  /** How often the worker was barred in a row. */
  times: number;
}

/** By worker. */
export type BarredHops = ReadonlyMap<number, Bar>;

/** How long a worker is no hop after something has broken off at it: many updates, so that a bad link between two workers costs little. */
const firstMs = 60_000;
/** Twice as long each time, up to this, after which it is as if it had never been barred: a link may be closed for good. */
const longestMs = 32 * firstMs;

export const noBarredHops: BarredHops = new Map();

/** Something has broken off at this worker. */
export function withBarred(barred: BarredHops, worker: number, nowMs: number): BarredHops {
  const kept = new Map([...barred].filter(([, { untilMs }]) => untilMs + longestMs > nowMs));
  const before = kept.get(worker);
  // Of one break several may tell.
  if (before && before.untilMs > nowMs) return kept;
  const times = (before?.times ?? 0) + 1;
  const untilMs = nowMs + Math.min(longestMs, firstMs * 2 ** (times - 1));
  return kept.set(worker, { untilMs, times });
}

export const isBarred = (barred: BarredHops, worker: number, nowMs: number): boolean =>
  (barred.get(worker)?.untilMs ?? -Infinity) > nowMs;

/** The barred workers of a coordinator, and how often one was barred. */
export interface HopBar {
  bar(worker: number): void;
  isBarred(worker: number): boolean;
  count(): number;
}

/** `onBarred` is called with each worker that is barred, and for how long. */
export function createHopBar(
  onBarred: (worker: number, forMs: number) => void = () => undefined,
  now = () => performance.now(),
): HopBar {
  let barred = noBarredHops;
  let count = 0;
  return {
    bar(worker) {
      const nowMs = now();
      barred = withBarred(barred, worker, nowMs);
      count++;
      onBarred(worker, (barred.get(worker)?.untilMs ?? nowMs) - nowMs);
    },
    isBarred: (worker) => isBarred(barred, worker, now()),
    count: () => count,
  };
}
