import { permutation, randomStream } from '@fourfold/common';
import type { Study } from './study.js';

/** One showing of a version to a rater. */
export interface Trial {
  version: string;
  /**
   * `calibration`: the rater is told the `expected` score; `repeat`: it was shown before, to see whether the rater gives the
   * same score. Neither counts in a mean.
   */
  kind: 'calibration' | 'rating' | 'repeat';
  expected?: 1 | 5;
}

/**
 * What a rater sees, in order: calibration, pair by pair; then all versions in the rater's own order, with repeats of the first
 * half in the second. A pure function of the study and the rater.
 */
export function trialsOf(study: Study, rater: string): Trial[] {
  const random = randomStream('mos', study.seed, rater);
  const shuffled = <T>(items: readonly T[]): T[] => [...permutation(items.length, random)].map((i) => items[i]);
  const ratings = shuffled(study.versions).map(({ id }): Trial => ({ version: id, kind: 'rating' }));
  const half = Math.ceil(ratings.length / 2);
  const [first, second] = [ratings.slice(0, half), ratings.slice(half)];
  const repeats = shuffled(first)
    .slice(0, study.repeats)
    .map(({ version }): Trial => ({ version, kind: 'repeat' }));
  return [
    ...study.calibration.map(({ id, expected }): Trial => ({ version: id, kind: 'calibration', expected })),
    ...first,
    ...shuffled([...second, ...repeats]),
  ];
}
