import { setTimeout as delay } from 'node:timers/promises';
import { credentials, status, type ServerWritableStream } from '@grpc/grpc-js';
import {
  bulkChannelOptions,
  chunkElements,
  createSharedFile,
  endWithStatus,
  randomStream,
  receiveVector,
  sendVector,
  startServer,
  wire,
  type Chunk,
  type OwnFile,
  type RunningServer,
  type WorkerClient,
} from '@fourfold/common';
import { afterEach, describe, expect, test } from 'vitest';
import type { GradientSource } from './exchange.js';
import { pullGradient } from './reduction.js';
import { createReplicaOrder } from './replica-order.js';
import { createUpdater, type Updater } from './updater.js';

type Call = ServerWritableStream<{ begin: number }, Chunk>;

const length = 3 * chunkElements + 7;
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
  const client = new wire.Worker(server.address, credentials.createInsecure(), bulkChannelOptions);
  opened.push({ client, server });
  return client;
}

const whole = (gradient: Float32Array) => (call: Call) => sendVector(call, gradient, call.request.begin, () => true);

/** Sends two chunks, then is gone in the way of `end`. */
const halfOf = (gradient: Float32Array, end: (call: Call) => unknown) => async (call: Call) => {
  for (const begin of [0, chunkElements]) {
    const part = gradient.slice(begin, begin + chunkElements);
    call.write({ encoding: 'F32', begin, count: part.length, data: Buffer.from(part.buffer) });
  }
  // Both chunks leave before the connection does.
  await delay(200);
  end(call);
};

const streamFrom = (client: WorkerClient): GradientSource =>
  async function* ({ begin, ...options }) {
    for await (const piece of receiveVector(client.PullGradient({ token, begin }), { begin, ...options })) {
      yield { ...piece, count: piece.bytes.byteLength / 4 };
    }
  };

/** Pieces of a gradient, each when `due` says so. */
const piecesOf = (gradient: Float32Array, size: number, due: () => Promise<unknown>): GradientSource =>
  async function* ({ begin }) {
    for (let at = begin; at < length; at += size) {
      await due();
      const part = gradient.slice(at, at + size);
      yield { begin: at, count: part.length, bytes: new Uint8Array(part.buffer) };
    }
  };

/** A gradient in shared memory, `size` elements at a time. */
const sharedFrom = (file: OwnFile, size: number): GradientSource =>
  async function* ({ begin }) {
    for (let at = begin; at < length; at += size) {
      const shared = { descriptor: file.place.descriptor, stamp: token };
      yield { begin: at, count: Math.min(size, length - at), shared };
    }
  };

async function share(gradient: Float32Array): Promise<OwnFile> {
  const file = await createSharedFile('/dev/shm');
  files.push(file);
  await file.write(token, gradient);
  return file;
}

function reduce(threads = 1) {
  const updater = createUpdater([{ parameterCount: length, length }], threads, chunkElements);
  updaters.push(updater);
  const [state] = updater.states;
  const order = createReplicaOrder();
  return {
    sum: () => Buffer.from(state.sum.buffer, state.sum.byteOffset, state.sum.byteLength),
    order,
    pull: (source: GradientSource, replica: number, silenceMs = 10_000) => {
      const { signal } = new AbortController();
      return pullGradient({ source, replica, begin: order.of(replica), silenceMs, signal }, updater, state, order);
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

test('the sum is the replicas’, in their order', async () => {
  const expected = gradients[0].map((value, i) => Math.fround(value + gradients[1][i]));
  expect((await uninterruptedSum(2)).equals(Buffer.from(expected.buffer))).toBe(true);
});

test('gradients that come at the same time, the later ones first, are added in replica order', async () => {
  const expected = await uninterruptedSum(3);
  const { pull, sum } = reduce();
  const sizes = [chunkElements, 1000, 70_000];
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
  ['falls silent', () => undefined, 600],
])('a worker that %s half-way: another’s same gradient goes on where it stopped', async (_, end, silenceMs) => {
  const expected = await uninterruptedSum(2);
  const { pull, order, sum } = reduce();
  for (const [replica, gradient] of gradients.slice(0, 2).entries()) {
    const broken = streamFrom(await worker(halfOf(gradient, end)));
    await expect(pull(broken, replica, silenceMs)).rejects.toThrow();
    expect(order.of(replica)).toBe(2 * chunkElements);
    await pull(streamFrom(await worker(whole(gradient))), replica);
    expect(order.of(replica)).toBe(length);
  }
  expect(sum().equals(expected)).toBe(true);
});

test('a gradient with NaN is refused at its chunk and leaves the sum as it was there', async () => {
  const { pull, order, sum } = reduce();
  await pull(streamFrom(await worker(whole(gradients[0]))), 0);
  const before = Buffer.from(sum());
  const bad = new Float32Array(length);
  bad[chunkElements + 1] = NaN;
  await expect(pull(streamFrom(await worker(whole(bad))), 1)).rejects.toMatchObject({
    code: 'invalid',
    message: `the gradient holds NaN or infinity behind element ${chunkElements}`,
  });
  expect(order.of(1)).toBe(chunkElements);
  expect(sum().equals(before)).toBe(true);
});

describe.runIf(process.platform === 'linux')('in shared memory', () => {
  test.each([1, 2])('the sum is the same, by %i threads', async (threads) => {
    const expected = await uninterruptedSum(3);
    const { pull, sum } = reduce(threads);
    const pulls = gradients.map(async (gradient, i) =>
      pull(sharedFrom(await share(gradient), [80_000, 300_000, length][i]), i),
    );
    await Promise.all(pulls);
    expect(sum().equals(expected)).toBe(true);
  });

  test.each([0, 1])('a gradient of replica %i with NaN is refused there; the right one goes on', async (replica) => {
    const expected = await uninterruptedSum(2);
    const { pull, order, sum } = reduce();
    if (replica === 1) await pull(sharedFrom(await share(gradients[0]), length), 0);
    const bad = gradients[replica].slice().fill(NaN, chunkElements + 1, chunkElements + 2);
    await expect(pull(sharedFrom(await share(bad), length), replica)).rejects.toMatchObject({
      code: 'invalid',
      message: `the gradient holds NaN or infinity behind element ${chunkElements}`,
    });
    expect(order.of(replica)).toBe(chunkElements);
    for (let next = replica; next < 2; next++) await pull(sharedFrom(await share(gradients[next]), length), next);
    expect(sum().equals(expected)).toBe(true);
  });

  test('a file that holds another gradient by then is not taken for it', async () => {
    const { pull, order } = reduce();
    const file = await share(gradients[0]);
    await file.write({ term: 1, number: 2 }, gradients[1]);
    await expect(pull(sharedFrom(file, length), 0)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the shared memory holds another vector by now',
    });
    expect(order.of(0)).toBe(0);
  });
});

test('a stopped order ends the wait for a replica that will not come', async () => {
  const { pull, order } = reduce();
  const waiting = pull(
    piecesOf(gradients[1], length, async () => undefined),
    1,
  );
  order.stop(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
});
