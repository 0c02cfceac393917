import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { FourfoldError } from '@fourfold/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { callThread, endThread, type Remote } from './thread-rpc.js';

const builtUrl = (path: string) => new URL(path, import.meta.url).href;

/** What the thread answers: each call notes its number, even when it takes its time. */
const methods = `
  import { parentPort } from 'node:worker_threads';
  import { setTimeout as delay } from 'node:timers/promises';
  import { FourfoldError } from '${builtUrl('../../../common/dist/index.js')}';
  import { spawnSync } from 'node:child_process';
  import { answerCalls } from '${builtUrl('../../dist/compute/thread-rpc.js')}';
  const done = [];
  answerCalls(parentPort, {
    async slow(ms) { await delay(ms); done.push(ms); return done.length; },
    done: () => done,
    fill(vector, value) { vector.fill(value); },
    refuse() { throw new FourfoldError('invalid', 'picture a.jpg: too small', { hint: 'leave it out' }); },
    fault() { throw new TypeError('x is not a function'); },
    odd() { throw 'a string'; },
    uncloneable: () => () => 1,
    exhaust() { throw Object.assign(new Error('4 GiB were asked for, 1 GiB is free'), { code: 'OUT_OF_MEMORY' }); },
    hang(file) { spawnSync('sh', ['-c', 'touch "$0"; while [ -e "$0" ]; do sleep 0.1; done', file]); },
    spin() { for (;;); },
    exit() { process.exit(3); },
    crash() { setImmediate(() => { throw new Error('out of memory'); }); return new Promise(() => {}); },
  });
`;

type TestMethods = Record<'slow', (ms: number) => number> &
  Record<'done', () => number[]> &
  Record<'fill', (vector: Float32Array, value: number) => void> &
  Record<'hang', (file: string) => void> &
  Record<'refuse' | 'exhaust' | 'spin' | 'fault' | 'odd' | 'uncloneable' | 'exit' | 'crash', () => void>;

let thread: Worker;
let remote: Remote<TestMethods>;
beforeEach(() => {
  thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(methods)}`));
  remote = callThread<TestMethods>(thread);
});
afterEach(async () => {
  await thread.terminate();
});

test('calls are answered one after another, in the order in which they were made', async () => {
  expect(await Promise.all([remote.slow(40), remote.slow(1), remote.done(), remote.slow(20)])).toEqual([
    1,
    2,
    [40, 1],
    3,
  ]);
});

test('a vector on shared memory is written in place', async () => {
  const vector = new Float32Array(new SharedArrayBuffer(16));
  await remote.fill(vector, 2.5);
  expect([...vector]).toEqual([2.5, 2.5, 2.5, 2.5]);
});

test('errors that a person can act on keep their code and hint', async () => {
  const error = await remote.refuse().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(FourfoldError);
  expect(error).toMatchObject({
    code: 'invalid',
    message: 'picture a.jpg: too small',
    options: { hint: 'leave it out' },
  });
});

test('a fault keeps its message and the thread’s stack, and later calls are answered', async () => {
  const error = (await remote.fault().catch((caught: unknown) => caught)) as Error;
  expect(error).not.toBeInstanceOf(FourfoldError);
  expect(error.message).toBe('x is not a function');
  expect(error.stack).toContain('fault');
  await expect(remote.odd()).rejects.toThrow('a string');
  await expect(remote.uncloneable()).rejects.toThrow('could not be cloned');
  expect(await remote.slow(0)).toBe(1);
});

test('memory that has run out is for users, with a hint', async () => {
  await expect(remote.exhaust()).rejects.toMatchObject({
    code: 'no-space',
    message: '4 GiB were asked for, 1 GiB is free',
    options: { hint: expect.stringContaining('data.globalBatch') as string },
  });
});

test('a thread is ended in the middle of JavaScript, but not of a native call', async () => {
  remote.spin().catch(() => undefined);
  await delay(100);
  expect(await endThread(thread, 10_000)).toBe(true);
  thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(methods)}`));
  remote = callThread<TestMethods>(thread);
  await remote.done();
  const file = join(tmpdir(), `fourfold-hang-${randomUUID()}`);
  remote.hang(file).catch(() => undefined);
  await expect.poll(() => existsSync(file)).toBe(true);
  expect(await endThread(thread, 500)).toBe(false);
  rmSync(file);
});

test('when the thread ends, open calls and later ones reject', async () => {
  const open = [remote.exit(), remote.slow(1)];
  for (const call of open) {
    await expect(call).rejects.toThrow('the compute thread ended with code 3');
  }
  await expect(remote.done()).rejects.toThrow('the compute thread ended with code 3');
});

test('when the thread crashes, its error is what calls reject with', async () => {
  await expect(remote.crash()).rejects.toThrow('out of memory');
  await expect(remote.done()).rejects.toThrow('out of memory');
});
