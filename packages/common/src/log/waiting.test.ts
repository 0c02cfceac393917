import { afterEach, expect, test, vi } from 'vitest';
import { reportWaiting, startWaitReports } from './waiting.js';

afterEach(() => vi.useRealTimers());

test('a wait is reported less and less often: intervals double from five seconds to five minutes', () => {
  vi.useFakeTimers();
  const toldMs: number[] = [];
  const stop = startWaitReports((waitedMs) => toldMs.push(waitedMs));
  vi.advanceTimersByTime(20 * 60_000);
  const pauses = toldMs.map((ms, i) => (ms - (toldMs[i - 1] ?? 0)) / 1000);
  expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 300, 300]);
  stop();
  vi.advanceTimersByTime(20 * 60_000);
  expect(toldMs).toHaveLength(8);
});

test('a promise that settles soon, or has settled, is not reported', async () => {
  vi.useFakeTimers();
  const say = vi.fn();
  await expect(reportWaiting(Promise.reject(new Error('no')), say)).rejects.toThrow('no');
  expect(await reportWaiting(Promise.resolve(1), say)).toBe(1);
  vi.advanceTimersByTime(20 * 60_000);
  expect(say).not.toHaveBeenCalled();
});
