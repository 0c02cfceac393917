import { FourfoldError, parseRunConfig } from '@fourfold/common';
import { plainLayout } from '@fourfold/weights';
import type { WireVector, WorkerMessage } from '@fourfold/rpc';
import { expect, test, vi } from 'vitest';
import type { ReplicaLease } from './leases/compute-lease.js';
import { createLeaseLoop, type LeaseLoopParts } from './leases/lease-loop.js';
import type { Session } from './session/session.js';

/*
 * Leases without a wire and without a device: what happens to a gradient's buffer when its half throws.
 */

const config = parseRunConfig(
  { name: 'small', dataset: 'd', phases: [{ kind: 'mse', iterations: 9, learningRate: 1 }], loss: { content: 'mse' } },
  'a test',
);
const layout = plainLayout(6);
const lease = (number: number, leaseMs = 5_000): ReplicaLease => ({
  token: { term: 1, number },
  leaseMs,
  work: { iteration: 0, replica: 0, network: 'GENERATOR', phase: 0, generatorVersion: 0, discriminatorVersion: 0 },
  source: {} as ReplicaLease['source'],
});

function createLoop(half: () => Promise<Record<string, number>>) {
  const out = new Set<WireVector>();
  const sent: WorkerMessage[] = [];
  const fail = vi.fn();
  const gradients = {
    take() {
      const vector = {} as WireVector;
      out.add(vector);
      return vector;
    },
    giveBack: (vector: WireVector) => void out.delete(vector),
    offer: async () => ({}),
    release: () => undefined,
  };
  const parts = {
    config,
    compute: { generatorHalf: half },
    parameters: { ensure: async () => undefined },
    batches: { get: async () => ({}), prepare: () => undefined, done: () => undefined },
    gradients,
    layouts: { generator: layout, discriminator: layout },
  };
  const session = { send: (message: WorkerMessage) => sent.push(message), fail };
  const loop = createLeaseLoop(parts as unknown as LeaseLoopParts, session as unknown as Session);
  return { loop, out, sent, fail };
}

test('a half that throws gives its buffer back, whatever happens to the worker', async () => {
  for (const error of [new FourfoldError('unavailable', 'gone'), new TypeError('no kernel')]) {
    const { loop, out, sent, fail } = createLoop(() => Promise.reject(error));
    loop.add(lease(1));
    await expect.poll(() => sent.length + fail.mock.calls.length).toBe(1);
    expect(out.size).toBe(0);
  }
});

test('a half that is late keeps its buffer until it has ended: it still writes there', async () => {
  let end: (error: Error) => void = () => undefined;
  const { loop, out, fail } = createLoop(() => new Promise((_, reject) => (end = reject)));
  loop.add(lease(1, 20));
  await expect.poll(() => fail.mock.calls.length).toBe(1);
  expect(out.size).toBe(1);
  end(new Error('over'));
  await expect.poll(() => out.size).toBe(0);
});

test('a lease that is no longer wanted gives its buffer back', async () => {
  let end: (losses: Record<string, number>) => void = () => undefined;
  const { loop, out, sent } = createLoop(() => new Promise((resolve) => (end = resolve)));
  loop.add(lease(1));
  await expect.poll(() => out.size).toBe(1);
  loop.end({ term: 1, number: 1 });
  end({});
  await expect.poll(() => out.size).toBe(0);
  expect(sent).toEqual([]);
});
