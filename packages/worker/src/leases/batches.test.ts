import type { Batch } from '@fourfold/data-loader';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBatchQueue } from './batches.js';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

test('time that a lease waits for its batch counts while it waits, and only once', async () => {
  const batch = {} as Batch;
  let arrive: (batch: Batch) => void = () => undefined;
  const source = { batch: () => new Promise<Batch>((resolve) => (arrive = resolve)) };
  const queue = createBatchQueue(source, { ahead: 0, iterations: 9 });
  vi.advanceTimersByTime(5_000);
  const waiting = queue.get(0, 0);
  vi.advanceTimersByTime(30_000);
  expect(queue.stats()).toEqual({ batches: 1, waits: 1, waitedSeconds: 30 });
  vi.advanceTimersByTime(30_000);
  arrive(batch);
  expect(await waiting).toBe(batch);
  vi.advanceTimersByTime(5_000);
  expect(queue.stats()).toEqual({ batches: 1, waits: 1, waitedSeconds: 60 });
  // It has arrived.
  await queue.get(0, 0);
  expect(queue.stats()).toEqual({ batches: 2, waits: 1, waitedSeconds: 60 });
});
