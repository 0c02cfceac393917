/*
 * Workers that are no hops for a while, because something has broken off at them.
 */

/** By worker: until when it is no hop. */
export type BarredHops = ReadonlyMap<number, number>;

/** How long a worker is no hop after something has broken off at it: many updates, so that a bad link between two workers costs little. */
const barredMs = 60_000;

export const noBarredHops: BarredHops = new Map();

/** Something has broken off at this worker. */
export const withBarred = (barred: BarredHops, worker: number, nowMs: number): BarredHops =>
  new Map([...barred].filter(([, untilMs]) => untilMs > nowMs)).set(worker, nowMs + barredMs);

export const isBarred = (barred: BarredHops, worker: number, nowMs: number): boolean =>
  (barred.get(worker) ?? -Infinity) > nowMs;

/** The barred workers of a coordinator, and how often one was barred. */
export interface HopBar {
  bar(worker: number): void;
  isBarred(worker: number): boolean;
  count(): number;
}

/** `onBarred` is called with each worker that is barred. */
export function createHopBar(
  onBarred: (worker: number) => void = () => undefined,
  now = () => performance.now(),
): HopBar {
  let barred = noBarredHops;
  let count = 0;
  return {
    bar(worker) {
      barred = withBarred(barred, worker, now());
      count++;
      onBarred(worker);
    },
    isBarred: (worker) => isBarred(barred, worker, now()),
    count: () => count,
  };
}
