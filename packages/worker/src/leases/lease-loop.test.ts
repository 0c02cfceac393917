import { status } from '@grpc/grpc-js';
import { FourfoldError, type RunConfig } from '@fourfold/common';
import type { ReplicaWork__Output, Token__Output, WireVector, WorkerMessage } from '@fourfold/rpc';
import { setImmediate as otherWork } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Session } from '../session/session.js';
import type { ComputedLease, ReplicaLease } from './compute-lease.js';
import { createLeaseLoop, type LeaseLoopParts } from './lease-loop.js';

/*
 * A session's leases without a wire and without a device, by a clock that the test moves.
 */

const leaseMs = 60_000;
/** Phase 0 is adversarial, phase 1 is not. */
const config = { phases: [{ kind: 'gan' }, { kind: 'mse' }] } as RunConfig;
const tokenOf = (number: number): Token__Output => ({ term: 1, number });

/** A step of a lease that the test ends. */
interface Step<T> {
  name: string;
  end: (value: T) => void;
  fail: (error: unknown) => void;
}

let loop: ReturnType<typeof createLeaseLoop>;
let sent: WorkerMessage[];
let failed: { error: Error; token?: Token__Output }[];
let computed: ComputedLease[];
/** The halves and content losses that the device has been asked for. */
let device: Step<Record<string, number>>[];
/** Batches whose loading has begun early, and those whose successors are due. */
let batches: { prepared: string[]; done: string[]; get: () => Promise<unknown> };
let parameters: { ensure: (source: unknown, network: string, version: number) => Promise<void>; asked: string[] };
/** Gradient buffers in use, the tokens that were released, and what an offer resolves with. */
let gradients: { out: Set<WireVector>; released: number[]; offer: () => Promise<object | undefined> };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  [sent, failed, computed, device] = [[], [], [], []];
  batches = { prepared: [], done: [], get: async () => ({}) };
  gradients = { out: new Set(), released: [], offer: async () => ({}) };
  parameters = {
    asked: [],
    ensure: async (_, network, version) => void parameters.asked.push(`${network} ${version}`),
  };
  const ask = (name: string, { iteration, replica }: ReplicaWork__Output) =>
    new Promise<Record<string, number>>((end, fail) =>
      device.push({ name: `${name} ${iteration}.${replica}`, end, fail }),
    );
  const parts = {
    config,
    compute: {
      generatorHalf: (work: ReplicaWork__Output) => ask('generator', work),
      discriminatorHalf: (work: ReplicaWork__Output) => ask('discriminator', work),
      prepareContent: (work: ReplicaWork__Output) => ask('content', work),
    },
    parameters: { ensure: (...args: Parameters<typeof parameters.ensure>) => parameters.ensure(...args) },
    batches: {
      hold: () => ({ batch: batches.get(), release: () => undefined }),
      prepare: (iteration: number, replica: number) => batches.prepared.push(`${iteration}.${replica}`),
      done: (iteration: number, replica: number) => batches.done.push(`${iteration}.${replica}`),
    },
    gradients: {
      take() {
        const vector = {} as WireVector;
        gradients.out.add(vector);
        return vector;
      },
      giveBack: (vector: WireVector) => void gradients.out.delete(vector),
      offer: () => gradients.offer(),
      release: ({ number }: Token__Output) => gradients.released.push(number),
    },
    layouts: {},
    onComputed: (lease: ComputedLease) => computed.push(lease),
  };
  const session = {
    send: (message: WorkerMessage) => sent.push(message),
    fail: (error: Error, token?: Token__Output) => failed.push({ error, token }),
  };
  loop = createLeaseLoop(parts as unknown as LeaseLoopParts, session as unknown as Session);
});
afterEach(() => vi.useRealTimers());

/** Let everything happen that waits for nothing outside. */
const settle = async () => {
  for (let i = 0; i < 5; i++) await otherWork();
};
const lease = (number: number, work: Partial<ReplicaWork__Output> = {}): ReplicaLease => ({
  token: tokenOf(number),
  leaseMs,
  work: {
    ...{ iteration: 3, replica: 0, network: 'GENERATOR', phase: 0, generatorVersion: 3, discriminatorVersion: 4 },
    ...work,
  },
  source: {} as ReplicaLease['source'],
});
async function add(number: number, work?: Partial<ReplicaWork__Output>): Promise<void> {
  loop.add(lease(number, work));
  await settle();
}
/** The device is done with what it was asked for last. */
async function done(losses: Record<string, number> = {}): Promise<void> {
  device.at(-1)?.end(losses);
  await settle();
}
const asked = () => device.map(({ name }) => name);

test('a lease is computed with its versions and its batch, and its gradient is offered with its losses', async () => {
  await add(1);
  expect(parameters.asked).toEqual(['generator 3', 'discriminator 4']);
  expect(asked()).toEqual(['generator 3.0']);
  gradients.offer = async () => ({ file: 'a file' });
  await done({ content: 0.5 });
  expect(sent).toEqual([{ gradientReady: { token: tokenOf(1), losses: { content: 0.5 }, file: 'a file' } }]);
  expect([batches.prepared, batches.done]).toEqual([['3.0'], ['3.0']]);
});

test('outside adversarial phases no discriminator is asked for', async () => {
  await add(1, { phase: 1 });
  expect(parameters.asked).toEqual(['generator 3']);
});

test('leases are computed one after another; the next does not wait for the delivery', async () => {
  gradients.offer = () => new Promise(() => undefined);
  await add(1);
  await add(2, { replica: 1 });
  expect(batches.prepared).toEqual(['3.0', '3.1']);
  expect(asked()).toEqual(['generator 3.0']);
  await done();
  expect(asked()).toEqual(['generator 3.0', 'generator 3.1']);
  expect(sent).toEqual([]);
});

test('the seconds of a lease’s parts: its parameters come, its batch comes, it is computed, it is delivered', async () => {
  let [comes, arrives, leaves] = [() => {}, (_: unknown) => {}, (_: object) => {}];
  parameters.ensure = () => new Promise<void>((resolve) => (comes = resolve));
  batches.get = () => new Promise((resolve) => (arrives = resolve));
  gradients.offer = () => new Promise((resolve) => (leaves = resolve));
  await add(1, { phase: 1 });
  vi.advanceTimersByTime(2_000);
  comes();
  await settle();
  vi.advanceTimersByTime(3_000);
  arrives({});
  await settle();
  vi.advanceTimersByTime(7_000);
  await done();
  vi.advanceTimersByTime(1_000);
  leaves({});
  await settle();
  expect(computed).toEqual([{ network: 'generator', seconds: { transferring: 3, waiting: 3, computing: 7 } }]);
});

test('content losses are computed ahead only while no lease waits, for the discriminator’s halves of this iteration', async () => {
  for (const replica of [0, 1, 2]) loop.add(lease(replica, { replica, network: 'DISCRIMINATOR' }));
  await settle();
  for (let i = 0; i < 3; i++) await done();
  expect(asked().slice(-2)).toEqual(['discriminator 3.2', 'content 3.0']);
  expect(batches.done).toEqual([]);
  // This replica's generator half needs it now; the others' content comes later.
  loop.add(lease(9, { replica: 1 }));
  await done();
  expect(asked().slice(-2)).toEqual(['content 3.0', 'generator 3.1']);
  await done();
  expect(asked().slice(-1)).toEqual(['content 3.2']);
});

test('a later iteration makes the contents of this one stale', async () => {
  await add(1, { network: 'DISCRIMINATOR' });
  loop.add(lease(2, { iteration: 4, network: 'DISCRIMINATOR' }));
  await done();
  expect(asked()).toEqual(['discriminator 3.0', 'discriminator 4.0']);
});

test('a lease that ends while it waits is not computed', async () => {
  await add(1);
  await add(2, { replica: 1 });
  loop.end(tokenOf(2));
  await done();
  expect(asked()).toEqual(['generator 3.0']);
  expect(gradients.released).toEqual([2]);
});

test('a lease that ends while it is fetched takes no buffer', async () => {
  let arrives = (_: unknown) => {};
  batches.get = () => new Promise((resolve) => (arrives = resolve));
  await add(1);
  loop.end(tokenOf(1));
  arrives({});
  await settle();
  expect([asked(), gradients.out.size]).toEqual([[], 0]);
});

test('a lease that ends while it is computed gives its buffer back, and offers nothing', async () => {
  await add(1);
  expect(gradients.out.size).toBe(1);
  loop.end(tokenOf(1));
  await done();
  expect([gradients.out.size, sent, computed]).toEqual([0, [], []]);
});

test('a lease that ends while it is computed reports no failure', async () => {
  await add(1);
  loop.end(tokenOf(1));
  device[0].fail(new Error('a kernel failed'));
  await settle();
  expect([sent, failed]).toEqual([[], []]);
});

test('a gradient whose lease ends while it is delivered is not announced, and its time counts', async () => {
  gradients.offer = async () => undefined;
  await add(1);
  await done();
  expect([sent, computed.length]).toEqual([[], 1]);
});

test('after a stop nothing more is computed', async () => {
  await add(1, { network: 'DISCRIMINATOR' });
  loop.add(lease(2, { replica: 1 }));
  loop.stop();
  await done();
  expect([asked(), sent, gradients.out.size]).toEqual([['discriminator 3.0'], [], 0]);
});

test('a half that is late ends the worker; its buffer stays in use until the half has ended', async () => {
  await add(1);
  vi.advanceTimersByTime(leaseMs - 1);
  await settle();
  expect(failed).toEqual([]);
  vi.advanceTimersByTime(1);
  await settle();
  expect(failed).toEqual([{ error: expect.any(Error) as Error, token: tokenOf(1) }]);
  expect(failed[0].error.message).toBe(
    'GENERATOR 3.0 was not computed within its lease of 60000 ms; raise timing.leaseMs if the device is that slow',
  );
  expect(gradients.out.size).toBe(1);
  device[0].fail(new Error('over'));
  await settle();
  expect(gradients.out.size).toBe(0);
});

test.each([new FourfoldError('unavailable', 'gone'), new TypeError('no kernel')])(
  'a half that throws gives its buffer back: %s',
  async (error) => {
    await add(1);
    device[0].fail(error);
    await settle();
    expect([gradients.out.size, sent.length + failed.length]).toEqual([0, 1]);
  },
);

const staleError = Object.assign(new Error('version 3 is not available'), { code: status.FAILED_PRECONDITION });

test('the coordinator has moved on: nothing is reported', async () => {
  batches.get = () => Promise.reject(staleError);
  await add(1);
  expect([sent, failed]).toEqual([[], []]);
});

test.each<[string, Error]>([
  ['a call that broke', Object.assign(new Error('it broke'), { code: status.UNAVAILABLE })],
  ['a file that cannot be read now', new FourfoldError('unavailable', 'it broke')],
])('%s: the lease is given back, and the worker goes on', async (_, error) => {
  batches.get = () => Promise.reject(error);
  await add(1);
  expect(failed).toEqual([]);
  expect(sent).toEqual([{ leaseFailed: { token: tokenOf(1), code: 'unavailable', reason: 'it broke' } }]);
  batches.get = async () => ({});
  await add(2, { replica: 1 });
  expect(asked()).toEqual(['generator 3.1']);
});

test('a delivery that breaks gives the lease back', async () => {
  gradients.offer = () => Promise.reject(new FourfoldError('unavailable', 'no shared memory left'));
  await add(1);
  await done();
  const reason = 'no shared memory left';
  expect(sent).toEqual([{ leaseFailed: { token: tokenOf(1), code: 'unavailable', reason } }]);
});

test.each<[string, Error]>([
  ['a shard that is missing', new FourfoldError('not-found', 'shard 3 does not exist')],
  ['a shard that is damaged', new FourfoldError('corrupt', 'shard 3 is damaged')],
  ['a full disk', new FourfoldError('no-space', 'the cache is full')],
  ['a fault', new TypeError('x is undefined')],
])('%s: the worker leaves, and says at which lease', async (_, error) => {
  batches.get = () => Promise.reject(error);
  await add(1);
  expect([sent, failed]).toEqual([[], [{ error, token: tokenOf(1) }]]);
});

test('content losses that cannot be computed end the session, at no lease', async () => {
  await add(1, { network: 'DISCRIMINATOR' });
  await done();
  const error = new Error('a kernel failed');
  device.at(-1)?.fail(error);
  await settle();
  expect(failed).toEqual([{ error, token: undefined }]);
});
