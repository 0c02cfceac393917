import { median } from '@fourfold/common';

/** How many of the newest times decide what is usual: enough to be representative, few enough to follow a change. */
const keptTimes = { least: 8, most: 64 };

/** By kind of task: how long the newest ones took, in milliseconds. */
export type UsualTimes = ReadonlyMap<string, readonly number[]>;

/** The times with one more. */
export const withTime = (times: UsualTimes, kind: string, ms: number): UsualTimes =>
  new Map(times).set(kind, [...(times.get(kind) ?? []), ms].slice(-keptTimes.most));

/** How long tasks of a kind usually take: the median of the newest times; undefined while there are too few. */
export function usualMs(times: UsualTimes, kind: string): number | undefined {
  const all = times.get(kind) ?? [];
  return all.length < keptTimes.least ? undefined : median(all);
}
