import { expect, test } from 'vitest';
import { createWorkQueue } from './work-queue.js';

/** Jobs that end when the test says so, and a record of those begun. */
function createJobs() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const job = (name: string) => () => {
    begun.push(name);
    return new Promise<void>((resolve) => ends.set(name, resolve));
  };
  const end = async (name: string) => {
    ends.get(name)?.();
    // The next job begins in the next turn of the event loop.
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  };
  return { begun, job, end };
}

test('jobs are done in order, some at a time; spare ones wait until nobody waits', async () => {
  const { begun, job, end } = createJobs();
  const queue = createWorkQueue({ concurrency: 2, longest: 10 });
  for (const name of ['a', 'b']) queue.add(job(name));
  queue.addSpare(job('spare'));
  for (const name of ['c', 'd']) queue.add(job(name));
  expect(begun).toEqual(['a', 'b']);
  expect(queue.unfinished()).toBe(4);
  await end('b');
  await end('c');
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  await end('a');
  expect(begun).toEqual(['a', 'b', 'c', 'd', 'spare']);
  await end('d');
  await end('spare');
  expect(queue.unfinished()).toBe(0);
});

test('beyond the longest queue, a job is refused and the oldest spare one gives way', async () => {
  const { begun, job, end } = createJobs();
  const queue = createWorkQueue({ concurrency: 1, longest: 2 });
  expect(['a', 'b', 'c', 'd'].map((name) => queue.add(job(name)))).toEqual([true, true, true, false]);
  for (const name of ['x', 'y', 'z']) queue.addSpare(job(name));
  for (const name of ['a', 'b', 'c', 'y', 'z']) await end(name);
  expect(begun).toEqual(['a', 'b', 'c', 'y', 'z']);
});

test('after its end no spare job is begun or accepted; awaited ones are still done', async () => {
  const { begun, job, end } = createJobs();
  const queue = createWorkQueue({ concurrency: 1, longest: 2 });
  for (const name of ['a', 'b']) queue.add(job(name));
  queue.addSpare(job('x'));
  queue.endSpare();
  queue.addSpare(job('y'));
  await end('a');
  await end('b');
  expect(begun).toEqual(['a', 'b']);
  expect(queue.unfinished()).toBe(0);
});

test('jobs that do not wait leave turns of the event loop to others', async () => {
  const queue = createWorkQueue({ concurrency: 1, longest: 1000 });
  let done = 0;
  for (let i = 0; i < 1000; i++) {
    queue.add(() => {
      done++;
      return Promise.resolve();
    });
  }
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(done).toBeLessThan(10);
});
