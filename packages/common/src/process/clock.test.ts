import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFreezeWatch } from './clock.js';

const begunMs = Date.parse('2026-01-01T00:00:00Z');
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'], now: begunMs });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The wall clock advances and the other stands still, as on Linux while a machine sleeps. */
const sleep = (ms: number) => vi.setSystemTime(Date.now() + ms);

test('a process that reports in time that it is awake was never frozen', () => {
  const watch = createFreezeWatch(1000);
  for (let times = 0; times < 5; times++) {
    vi.advanceTimersByTime(999);
    watch.noteAwake();
  }
  expect(watch.wokeAtMs()).toBe(-Infinity);
});

test.each([
  ['stopped', () => vi.advanceTimersByTime(1000)],
  ['asleep with its machine', () => sleep(3_600_000)],
])('a process that was %s notices when it is awake again', (_, freeze) => {
  const watch = createFreezeWatch(1000);
  vi.advanceTimersByTime(500);
  watch.noteAwake();
  freeze();
  watch.noteAwake();
  const wokeAtMs = performance.now();
  expect(watch.wokeAtMs()).toBe(wokeAtMs);
  vi.advanceTimersByTime(500);
  watch.noteAwake();
  expect(watch.wokeAtMs()).toBe(wokeAtMs);
});

test('setting the wall clock back is not a freeze, nor is the time after it', () => {
  const watch = createFreezeWatch(1000);
  sleep(-3_600_000);
  watch.noteAwake();
  vi.advanceTimersByTime(500);
  watch.noteAwake();
  expect(watch.wokeAtMs()).toBe(-Infinity);
});
