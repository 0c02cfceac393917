import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { unlessAborted, untilAborted, withDeadline } from './waits.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new Promise<never>(() => undefined);

test('a promise is awaited unless the signal is aborted, before or meanwhile', async () => {
  const stop = new AbortController();
  expect(await unlessAborted(Promise.resolve(1), stop.signal)).toBe(1);
  await expect(unlessAborted(Promise.reject(new Error('no')), stop.signal)).rejects.toThrow('no');
  const waiting = unlessAborted(never, stop.signal);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
  await expect(unlessAborted(never, stop.signal)).rejects.toThrow('stopped');
});

test('an abort resolves, before or meanwhile', async () => {
  const stop = new AbortController();
  const waiting = untilAborted(stop.signal);
  stop.abort();
  await waiting;
  await untilAborted(stop.signal);
});

test('a promise that settles before its deadline keeps its outcome, and its timer is cleared', async () => {
  expect(await withDeadline(Promise.resolve(1), 50, () => 2)).toBe(1);
  await expect(withDeadline(Promise.reject(new Error('no')), 50, () => 2)).rejects.toThrow('no');
  expect(vi.getTimerCount()).toBe(0);
});

test('after its deadline a promise is ignored, whatever becomes of it', async () => {
  let reject = (_: Error): void => undefined;
  const promise = new Promise<never>((_, refuse) => (reject = refuse));
  const instead = withDeadline(promise, 50, () => 'late');
  const refused = withDeadline(promise, 60, () => {
    throw new Error('it took too long');
  });
  refused.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(60);
  reject(new Error('ignored'));
  expect(await instead).toBe('late');
  await expect(refused).rejects.toThrow('it took too long');
});
