import { expect, test } from 'vitest';
import { median } from '@fourfold/common';
import { createLaps, summarize } from './laps.js';

test('the median is the middle value, or the mean of the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 2, 4, 8])).toBe(6);
  expect(median([])).toBeNaN();
});

test('laps of a part add up within an iteration and start again in the next', () => {
  const times = [0, 100, 110, 140, 145, 165];
  const laps = createLaps(() => times.shift() as number);
  laps.start();
  laps.lap('compute');
  laps.lap('update');
  laps.lap('compute');
  laps.endIteration();
  laps.lap('compute');
  laps.endIteration();
  expect(laps.iterations).toEqual([{ compute: 15, update: 30 }, { compute: 20 }]);
});

test('a summary has medians of the whole and of each part; a missing part counts as no time', () => {
  expect(summarize([{ compute: 4, update: 1 }, { compute: 6, update: 3 }, { compute: 7 }])).toEqual({
    medianMs: 7,
    minMs: 5,
    parts: { compute: 6, update: 1 },
  });
});
