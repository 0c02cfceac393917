import { expect, test } from 'vitest';
import { createDeltaLayout } from './delta-layout.js';

test.each([
  [256, 0, 260, 260],
  [255, 2, 260, 268],
  [257, 2, 268, 276],
  [1, 0, 8, 8],
])('%i parameters and %i statistics', (parameterCount, statisticCount, statisticsBegin, byteLength) => {
  const counts = { parameterCount, statisticCount };
  expect(createDeltaLayout(counts)).toEqual({ ...counts, statisticsBegin, byteLength });
});
