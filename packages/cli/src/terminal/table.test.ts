import { expect, test } from 'vitest';
import { formatClock } from './table.js';

test.each([
  [0, '0:00'],
  [59_600, '1:00'],
  [725_000, '12:05'],
  [12_000_000, '3:20:00'],
  [86_399_000, '23:59:59'],
  [190_800_000, '2 d 5 h'],
])('%i ms as a clock shows it', (ms, text) => {
  expect(formatClock(ms)).toBe(text);
});
