import type { Batch } from '@fourfold/data-loader';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBatchQueue } from './batches.js';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

test('time that a lease waits for its batch counts while it waits, and only once', async () => {
  const batch = {} as Batch;
  let arrive: (batch: Batch) => void = () => undefined;
  const source = { batch: () => new Promise<Batch>((resolve) => (arrive = resolve)), reuse: () => undefined };
  const queue = createBatchQueue(source, { ahead: 0, iterations: 9 });
  vi.advanceTimersByTime(5_000);
  const waiting = queue.hold(0, 0).batch;
  vi.advanceTimersByTime(30_000);
  expect(queue.stats()).toEqual({ batches: 1, waits: 1, waitedSeconds: 30 });
  vi.advanceTimersByTime(30_000);
  arrive(batch);
  expect(await waiting).toBe(batch);
  vi.advanceTimersByTime(5_000);
  expect(queue.stats()).toEqual({ batches: 1, waits: 1, waitedSeconds: 60 });
  // It has arrived.
  await queue.hold(0, 0).batch;
  expect(queue.stats()).toEqual({ batches: 2, waits: 1, waitedSeconds: 60 });
});

test('a batch is given back once: when it is dropped and no lease holds it', async () => {
  const reused: Batch[] = [];
  const made = new Map<number, Batch>();
  const source = {
    batch: (iteration: number) => Promise.resolve(made.set(iteration, {} as Batch).get(iteration)!),
    reuse: (batch: Batch) => void reused.push(batch),
  };
  const queue = createBatchQueue(source, { ahead: 0, iterations: 99 });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  queue.prepare(0, 0);
  const held = queue.hold(1, 0);
  await held.batch;
  queue.prepare(9, 0);
  await settled();
  expect(reused).toEqual([made.get(0)]);
  expect(reused[0]).toBe(made.get(0));
  held.release();
  await settled();
  expect(reused).toHaveLength(2);
  expect(reused[1]).toBe(made.get(1));
});
