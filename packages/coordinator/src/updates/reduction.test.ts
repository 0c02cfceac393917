import { setTimeout as delay } from 'node:timers/promises';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import {
  chunkBytes,
  createSharedFile,
  createWorkerClient,
  endWithStatus,
  sendVector,
  startServer,
  wire,
  type Chunk,
  type OwnFile,
  type RunningServer,
  type WorkerClient,
} from '@fourfold/rpc';
import { FourfoldError, randomStream } from '@fourfold/common';
import { plainLayout, type Layout } from '@fourfold/weights';
import { afterEach, describe, expect, test } from 'vitest';
import { pulledPieces, type GradientSource } from '../exchange/gradient-pieces.js';
import { pullGradient } from './reduction.js';
import { createReplicaOrder } from './replica-order.js';
import { createUpdater } from './updater.js';
import { apply } from './test-vectors.js';
import type { Updater } from './types.js';
import { lacks } from '../../../../test/support/needs.mjs';

type Call = ServerWritableStream<{ begin: number }, Chunk>;

const chunkElements = chunkBytes / 4;
const length = 3 * chunkElements + 7;
const layout = {
  tensors: [
    { name: 'first/filter', offset: 0, sizeElements: chunkElements },
    { name: 'second/filter', offset: chunkElements, sizeElements: length - chunkElements },
  ] as Layout['tensors'],
};
const wires = { parameters: plainLayout(length), gradients: plainLayout(length), sums: plainLayout(length) };
const token = { term: 1, number: 1 };
const gradients = [0, 1, 2].map((replica) => {
  const random = randomStream('gradient', replica);
  return Float32Array.from({ length }, () => random.float() - 0.5);
});

const opened: { client: WorkerClient; server: RunningServer }[] = [];
const files: OwnFile[] = [];
const updaters: Updater[] = [];
afterEach(async () => {
  for (const updater of updaters.splice(0)) await updater.close();
  for (const file of files.splice(0)) await file.close();
  for (const { client, server } of opened.splice(0)) {
    client.close();
    await server.close();
  }
});

/** A worker that answers pulls with `send`. */
async function worker(send: (call: Call) => unknown): Promise<WorkerClient> {
  const server = await startServer('127.0.0.1:0');
  server.addService(wire.Worker.service, { PullGradient: (call: Call) => void send(call) });
  const client = createWorkerClient(server.address);
  opened.push({ client, server });
  return client;
}

const bytesOf = (vector: Float32Array) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);

const whole = (gradient: Float32Array) => (call: Call) =>
  sendVector(call, bytesOf(gradient), call.request.begin, () => true);

/** Sends two chunks, then goes in the way of `end` when they have arrived. */
const halfOf =
  (gradient: Float32Array, haveArrived: () => boolean, end: (call: Call) => unknown) => async (call: Call) => {
    for (const begin of [0, chunkBytes]) {
      call.write({ begin, data: bytesOf(gradient).slice(begin, begin + chunkBytes) });
    }
    while (!haveArrived()) await delay(5);
    end(call);
  };

const streamFrom =
  (client: WorkerClient): GradientSource =>
  (options) =>
    pulledPieces(client, token, options);

/** Pieces of a gradient, `size` elements each, each when `due` resolves. */
const piecesOf = (gradient: Float32Array, size: number, due: () => Promise<unknown>): GradientSource =>
  async function* ({ begin }) {
    for (let at = begin / 4; at < length; at += size) {
      await due();
      const bytes = bytesOf(gradient.slice(at, at + size));
      yield { begin: at * 4, byteLength: bytes.byteLength, bytes };
    }
  };

/** A gradient in shared memory, `size` elements at a time. */
const sharedFrom = (file: OwnFile, size: number): GradientSource =>
  async function* ({ begin }) {
    for (let at = begin / 4; at < length; at += size) {
      const shared = { descriptor: file.place.descriptor, stamp: token };
      yield { begin: at * 4, byteLength: Math.min(size, length - at) * 4, shared };
    }
  };

async function share(gradient: Float32Array): Promise<OwnFile> {
  const file = await createSharedFile('/dev/shm');
  files.push(file);
  await file.write(token, bytesOf(gradient));
  return file;
}

function reduce(threads = 1) {
  const updater = createUpdater([{ parameterCount: length, length, wires }], threads, chunkBytes);
  updaters.push(updater);
  const [state] = updater.states;
  const order = createReplicaOrder();
  return {
    sum: () => Buffer.from(state.sum.buffer, state.sum.byteOffset, state.sum.byteLength),
    order,
    apply: () =>
      apply(updater, state, {
        replicas: 1,
        learningRate: 1,
        step: 1,
        adam: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
      }),
    pull: (source: GradientSource, replica: number, silenceMs = 10_000) => {
      const { signal } = new AbortController();
      return pullGradient(
        { source, layout, replica, begin: order.of(replica), silenceMs, signal },
        updater,
        state,
        order,
      );
    },
  };
}

async function uninterruptedSum(count: number): Promise<Buffer> {
  const { pull, sum } = reduce();
  for (const [replica, gradient] of gradients.slice(0, count).entries()) {
    await pull(streamFrom(await worker(whole(gradient))), replica);
  }
  return sum();
}

test('the sum adds the replicas in their order', async () => {
  const expected = gradients[0].map((value, i) => Math.fround(value + gradients[1][i]));
  expect((await uninterruptedSum(2)).equals(Buffer.from(expected.buffer))).toBe(true);
});

test('gradients that arrive together, the later replicas first, are added in replica order', async () => {
  const expected = await uninterruptedSum(3);
  const { pull, sum } = reduce();
  const sizes = [chunkElements, 1000, 60_000];
  const pulls = [1, 0].map((replica) =>
    pull(
      piecesOf(gradients[replica], sizes[replica], () => delay(replica === 0 ? 20 : 0)),
      replica,
    ),
  );
  await pulls[1].then(() =>
    pull(
      piecesOf(gradients[2], sizes[2], async () => undefined),
      2,
    ),
  );
  await Promise.all(pulls);
  expect(sum().equals(expected)).toBe(true);
});

test.each<[string, (call: Call) => unknown, number]>([
  ['is lost', (call) => endWithStatus(call, status.UNAVAILABLE, 'killed'), 10_000],
  ['falls silent', () => undefined, 2_000],
])(
  'a worker that %s half-way: the same gradient from another continues where it stopped',
  async (_, end, silenceMs) => {
    const expected = await uninterruptedSum(2);
    const { pull, order, sum } = reduce();
    for (const [replica, gradient] of gradients.slice(0, 2).entries()) {
      const haveArrived = () => order.of(replica) === 2 * chunkBytes;
      const broken = streamFrom(await worker(halfOf(gradient, haveArrived, end)));
      await expect(pull(broken, replica, silenceMs)).rejects.toThrow();
      expect(order.of(replica)).toBe(2 * chunkBytes);
      await pull(streamFrom(await worker(whole(gradient))), replica);
      expect(order.of(replica)).toBe(length * 4);
    }
    expect(sum().equals(expected)).toBe(true);
  },
);

test('a gradient with NaN is refused at its chunk and leaves the sum unchanged there', async () => {
  const { pull, order, sum } = reduce();
  await pull(streamFrom(await worker(whole(gradients[0]))), 0);
  const before = Buffer.from(sum());
  const bad = new Float32Array(length);
  bad[chunkElements + 1] = NaN;
  await expect(pull(streamFrom(await worker(whole(bad))), 1)).rejects.toMatchObject({
    code: 'invalid',
    message: `NaN or infinity in second/filter (element 1 of ${length - chunkElements})`,
  });
  expect(order.of(1)).toBe(chunkBytes);
  expect(sum().equals(before)).toBe(true);
});

test('a gradient whose square overflows a float32 is refused with its value', async () => {
  const { pull } = reduce();
  const bad = new Float32Array(length);
  bad[1] = -(2 ** 70);
  await expect(pull(streamFrom(await worker(whole(bad))), 0)).rejects.toMatchObject({
    code: 'invalid',
    message: `-1.1805916207174113e+21, whose square is too large for a float32, in first/filter (element 1 of ${chunkElements})`,
  });
});

test('an error that is not the pull’s passes unchanged: this process is at fault, not the worker', async () => {
  const { pull } = reduce();
  const fault = new TypeError('x is not a function');
  const faulty: GradientSource = async function* () {
    yield* [];
    throw fault;
  };
  await expect(pull(faulty, 0)).rejects.toBe(fault);
});

test('a gradient of another shape is refused, naming the tensor that differs', async () => {
  const { pull, order } = reduce();
  const shorter = streamFrom(await worker(whole(gradients[0].subarray(0, chunkElements + 5))));
  await expect(pull(shorter, 0)).rejects.toMatchObject({
    code: 'mismatch',
    message: `the gradient has a different shape at second/filter (element 5 of ${length - chunkElements})`,
  });
  expect(order.of(0)).toBe(chunkBytes + 20);
  const longer = streamFrom(await worker(whole(new Float32Array(length + 1))));
  await expect(pull(longer, 0)).rejects.toMatchObject({ code: 'mismatch' });
});

describe.skipIf(lacks('linux', process.platform === 'linux'))('in shared memory', () => {
  test.each([1, 2])('the sum is the same, by %i threads', async (threads) => {
    const expected = await uninterruptedSum(3);
    const { pull, sum } = reduce(threads);
    const pulls = gradients.map(async (gradient, i) =>
      pull(sharedFrom(await share(gradient), [80_000, 300_000, length][i]), i),
    );
    await Promise.all(pulls);
    expect(sum().equals(expected)).toBe(true);
  });

  test.each([0, 1])(
    'a gradient of replica %i with NaN is refused there; the correct one continues',
    async (replica) => {
      const expected = await uninterruptedSum(2);
      const { pull, order, sum } = reduce();
      if (replica === 1) await pull(sharedFrom(await share(gradients[0]), length), 0);
      const bad = gradients[replica].slice().fill(NaN, chunkElements + 1, chunkElements + 2);
      await expect(pull(sharedFrom(await share(bad), length), replica)).rejects.toMatchObject({
        code: 'invalid',
        message: `NaN or infinity in second/filter (element 1 of ${length - chunkElements})`,
      });
      expect(order.of(replica)).toBe(chunkBytes);
      for (let next = replica; next < 2; next++) await pull(sharedFrom(await share(gradients[next]), length), next);
      expect(sum().equals(expected)).toBe(true);
    },
  );

  test('a thread that dies fails all of its tasks with its own reason, not a worker’s', async () => {
    const { pull, apply } = reduce();
    const faulty: GradientSource = async function* () {
      yield { begin: 0, byteLength: 400, shared: { descriptor: 'none' as never, stamp: token } };
    };
    const reason = await pull(faulty, 0).catch((error: unknown) => error);
    expect(reason).not.toBeInstanceOf(FourfoldError);
    expect(reason).toMatchObject({ message: expect.stringContaining('"fd" argument') as string });
    await expect(pull(sharedFrom(await share(gradients[0]), length), 0)).rejects.toBe(reason);
    await expect(apply()).rejects.toBe(reason);
  });

  test('a file that holds another gradient by then is refused', async () => {
    const { pull, order } = reduce();
    const file = await share(gradients[0]);
    await file.write({ term: 1, number: 2 }, bytesOf(gradients[1]));
    await expect(pull(sharedFrom(file, length), 0)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the shared memory now holds a different vector',
    });
    expect(order.of(0)).toBe(0);
  });
});

test('stopping the order ends the wait for a replica that will not come', async () => {
  const { pull, order } = reduce();
  const waiting = pull(
    piecesOf(gradients[1], length, async () => undefined),
    1,
  );
  order.stop(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
});
