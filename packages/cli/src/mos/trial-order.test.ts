import { expect, test } from 'vitest';
import type { Study } from './study.js';
import { trialsOf } from './trial-order.js';

const version = (i: number) => ({ id: i.toString(16).padStart(16, '0'), picture: `p${i % 5}`, method: `m${i % 4}` });
const study: Study = {
  format: 1,
  name: 'test',
  seed: 3,
  repeats: 4,
  methods: ['m0', 'm1', 'm2', 'm3'],
  versions: Array.from({ length: 21 }, (_, i) => version(i)),
  calibration: [
    { ...version(100), expected: 1 },
    { ...version(101), expected: 5 },
  ],
};

test('calibration first, then every version once, and repeats of the first half in the second', () => {
  const trials = trialsOf(study, 'ada');
  expect(trials.slice(0, 2).map(({ kind, expected }) => [kind, expected])).toEqual([
    ['calibration', 1],
    ['calibration', 5],
  ]);
  const rest = trials.slice(2);
  const rated = rest.filter(({ kind }) => kind === 'rating').map(({ version }) => version);
  expect(rated.sort()).toEqual(study.versions.map(({ id }) => id));
  const repeats = rest.flatMap(({ version, kind }, at) => (kind === 'repeat' ? [{ version, at }] : []));
  expect(new Set(repeats.map(({ version }) => version)).size).toBe(4);
  for (const { version, at } of repeats) {
    const first = rest.findIndex((trial) => trial.version === version && trial.kind === 'rating');
    expect(first).toBeLessThan(11);
    expect(at).toBeGreaterThanOrEqual(11);
  }
});

test('a rater’s order is the same each time; another rater or seed gives another', () => {
  const order = (rater: string, seed = 3) => trialsOf({ ...study, seed }, rater).map(({ version }) => version);
  expect(order('ada')).toEqual(order('ada'));
  expect(order('ada')).not.toEqual(order('bob'));
  expect(order('ada')).not.toEqual(order('ada', 4));
});
