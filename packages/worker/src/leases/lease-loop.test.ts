import { status } from '@grpc/grpc-js';
import { FourfoldError, type RunConfig } from '@fourfold/common';
import type { Token__Output, WorkerMessage } from '@fourfold/rpc';
import { expect, test } from 'vitest';
import type { ReplicaLease } from './compute-lease.js';
import { createLeaseLoop, type LeaseLoopParts } from './lease-loop.js';

/*
 * How a worker judges the failure of a lease.
 */

const token = { term: 1, number: 1 };
const work = { network: 'GENERATOR', iteration: 0, replica: 0, phase: 0, generatorVersion: 0, discriminatorVersion: 0 };

/** Accept a lease whose batch is not available. */
async function fail(error: Error) {
  const sent: WorkerMessage[] = [];
  const failed: { error: Error; token?: Token__Output }[] = [];
  const session = {
    send: (message: WorkerMessage) => sent.push(message),
    fail: (error: Error, token?: Token__Output) => failed.push({ error, token }),
  };
  const parts = {
    config: { phases: [{ kind: 'mse' }] } as RunConfig,
    parameters: { ensure: async () => undefined },
    batches: { prepare: () => undefined, get: () => Promise.reject(error) },
    gradients: { release: () => undefined },
  };
  const loop = createLeaseLoop(parts as unknown as LeaseLoopParts, session as never);
  loop.add({ token, leaseMs: 1_000, work, source: {} } as unknown as ReplicaLease);
  await new Promise((resolve) => setImmediate(resolve));
  return { sent, failed };
}

test('the coordinator has moved on: nothing is reported', async () => {
  const stale = Object.assign(new Error('version 3 is not available'), { code: status.FAILED_PRECONDITION });
  expect(await fail(stale)).toEqual({ sent: [], failed: [] });
});

test.each<[string, Error]>([
  ['a call that broke', Object.assign(new Error('it broke'), { code: status.UNAVAILABLE })],
  ['a file that cannot be read now', new FourfoldError('unavailable', 'it broke')],
])('%s: the lease is given back, and the worker goes on', async (_, error) => {
  expect(await fail(error)).toEqual({
    sent: [{ leaseFailed: { token, code: 'unavailable', reason: 'it broke' } }],
    failed: [],
  });
});

test.each<[string, Error]>([
  ['a shard that is missing', new FourfoldError('not-found', 'shard 3 does not exist')],
  ['a shard that is damaged', new FourfoldError('corrupt', 'shard 3 is damaged')],
  ['a full disk', new FourfoldError('no-space', 'the cache is full')],
  ['a fault', new TypeError('x is undefined')],
])('%s: the worker leaves, and says at which lease', async (_, error) => {
  expect(await fail(error)).toEqual({ sent: [], failed: [{ error, token }] });
});
