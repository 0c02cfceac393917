import { expect, test } from 'vitest';
import type { Rating } from './ratings.js';
import { opinionsOf, raterReports } from './statistics.js';
import type { Study } from './study.js';

const study: Study = {
  format: 1,
  name: 'test',
  seed: 0,
  repeats: 2,
  methods: ['good', 'bad', 'unseen'],
  versions: [
    { id: 'a', picture: 'p', method: 'good' },
    { id: 'b', picture: 'p', method: 'bad' },
    { id: 'c', picture: 'p', method: 'unseen' },
  ],
  calibration: [{ id: 'n', picture: 'q', method: 'nearest', expected: 1 }],
};
const given = (version: string, score: number, kind: Rating['kind'] = 'rating', pixelRatio?: number): Rating => ({
  ...{ version, score, kind, pixelRatio },
  at: '2026-01-01T00:00:00.000Z',
});
const ratings = new Map([
  [
    'ada',
    [given('n', 2, 'calibration'), given('a', 5), given('b', 1), given('a', 4, 'repeat'), given('b', 1, 'repeat')],
  ],
  ['bob', [given('a', 4, 'rating', 2), given('b', 2, 'rating', 1.25)]],
  ['eve', [given('a', 3)]],
]);

test('means, intervals and distributions, without calibration and repeats', () => {
  const [good, bad, unseen] = opinionsOf(study, ratings);
  // 3, 4, 5: a deviation of 1, and t of 4.3027 at two degrees of freedom.
  expect(good).toMatchObject({ method: 'good', ratings: 3, mean: 4, distribution: [0, 0, 1, 1, 1] });
  expect(good.interval).toBeCloseTo(4.30265 / Math.sqrt(3), 4);
  // 1, 2: a deviation of 1 / sqrt 2, and t of 12.7062 at one.
  expect(bad).toMatchObject({ ratings: 2, mean: 1.5, distribution: [1, 1, 0, 0, 0] });
  expect(bad.interval).toBeCloseTo(12.7062 / 2, 3);
  expect(unseen).toMatchObject({ ratings: 0, mean: NaN, interval: undefined });
});

test('how consistent each rater is', () => {
  expect(raterReports(study, ratings)).toEqual([
    { rater: 'ada', done: 5, repeats: 2, meanDifference: 0.5, equalShare: 0.5, calibrationError: 1, pixelRatios: [] },
    { rater: 'bob', done: 2, repeats: 0, pixelRatios: [1.25, 2] },
    { rater: 'eve', done: 1, repeats: 0, pixelRatios: [] },
  ]);
});
