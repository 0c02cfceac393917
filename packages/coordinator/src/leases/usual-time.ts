import { median } from '@fourfold/common';

/** How many of the newest times decide what is usual: enough to be representative, few enough to follow a change. */
const keptTimes = { least: 8, most: 64 };

/** How long tasks of a kind usually take. */
export interface UsualTime {
  add(kind: string, ms: number): void;
  /** The median of the newest times; undefined while there are too few. */
  of(kind: string): number | undefined;
}

export function createUsualTime(): UsualTime {
  const times = new Map<string, number[]>();
  return {
    add(kind, ms) {
      const all = times.get(kind) ?? [];
      all.push(ms);
      if (all.length > keptTimes.most) all.shift();
      times.set(kind, all);
    },
    of(kind) {
      const all = times.get(kind) ?? [];
      return all.length < keptTimes.least ? undefined : median(all);
    },
  };
}
