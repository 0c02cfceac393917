import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFreezeWatch } from './clock.js';

const begunMs = Date.parse('2026-01-01T00:00:00Z');
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'], now: begunMs });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The wall clock goes on, the other one stands still: what Linux does while a machine sleeps. */
const sleep = (ms: number) => vi.setSystemTime(Date.now() + ms);

test('a process that says in time that it is awake was never frozen', () => {
  const watch = createFreezeWatch(1000);
  for (let times = 0; times < 5; times++) {
    vi.advanceTimersByTime(999);
    watch.noteAwake();
  }
  expect(watch.wokeAtMs()).toBe(-Infinity);
});

test.each([
  ['stopped', () => vi.advanceTimersByTime(1000)],
  ['on a machine that sleeps', () => sleep(3_600_000)],
])('a process that was %s finds that out when it is awake again', (_, freeze) => {
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

test('a wall clock that is set back is no freeze, nor is what follows', () => {
  const watch = createFreezeWatch(1000);
  sleep(-3_600_000);
  watch.noteAwake();
  vi.advanceTimersByTime(500);
  watch.noteAwake();
  expect(watch.wokeAtMs()).toBe(-Infinity);
});
