import { expect, test } from 'vitest';
import { createFetchWatch } from './fetch-watch.js';

const patience = { silenceMs: 1_000, longestMs: 10_000 };
/** The time of day, which is independent of the clock. */
const noonMs = Date.parse('2026-11-26T12:00:00Z');
const partial = (sizeBytes: number, modifiedMs = noonMs) => ({
  ...{ path: 'a', sha256: 'a', isPartial: true, sizeBytes, modifiedMs, usedMs: modifiedMs },
});

function watched() {
  let nowMs = 500;
  const watch = createFetchWatch(patience, () => nowMs);
  return {
    /** Whether it is waited for after this many ms more. */
    after: (ms: number, ...partials: ReturnType<typeof partial>[]) => {
      nowMs += ms;
      return watch.worthIt(partials, noonMs) !== undefined;
    },
  };
}

test('a file is waited for while it grows', () => {
  const { after } = watched();
  expect([after(0, partial(1)), after(900, partial(1)), after(50, partial(2)), after(999, partial(2))]).toEqual(
    Array(4).fill(true),
  );
  expect(after(1, partial(2))).toBe(false);
});

test('a file last written long ago is not waited for', () => {
  const { after } = watched();
  expect(after(0)).toBe(false);
  expect(after(0, partial(1, noonMs - 1_000))).toBe(false);
  expect(after(0, partial(1, noonMs - 999))).toBe(true);
});

test.each([1, 1_000, 1e12])('a time %d ms ahead does not prolong the wait', (aheadMs) => {
  const { after } = watched();
  expect(after(0, partial(1, noonMs + aheadMs))).toBe(true);
  expect(after(999, partial(1, noonMs + aheadMs))).toBe(true);
  expect(after(1, partial(1, noonMs + aheadMs))).toBe(false);
});

test('a file that never stops growing is not waited for without end', () => {
  const { after } = watched();
  const waits = Array.from({ length: 12 }, (_, i) => after(900, partial(i)));
  expect(waits).toEqual([...Array<boolean>(11).fill(true), false]);
});
