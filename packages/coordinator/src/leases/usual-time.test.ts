import { expect, test } from 'vitest';
import { usualMs, withTime, type UsualTimes } from './usual-time.js';

const timesOf = (...all: number[]) => all.reduce<UsualTimes>((times, ms) => withTime(times, 'half', ms), new Map());

test('the usual time is the median, once there are eight', () => {
  expect(usualMs(timesOf(1, 2, 3, 4, 5, 6, 7), 'half')).toBeUndefined();
  expect(usualMs(timesOf(1, 1, 1, 10, 10, 10, 10, 900), 'half')).toBe(10);
  expect(usualMs(timesOf(1, 1, 1, 10, 10, 10, 10, 900), 'another kind')).toBeUndefined();
});

test('the newest 64 times count', () => {
  const slow = Array.from({ length: 64 }, () => 100);
  const fast = Array.from({ length: 33 }, () => 10);
  expect(usualMs(timesOf(...slow, ...fast), 'half')).toBe(10);
});
