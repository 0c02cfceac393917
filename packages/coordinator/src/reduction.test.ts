import { setTimeout as delay } from 'node:timers/promises';
import { credentials, status, type ServerWritableStream } from '@grpc/grpc-js';
import {
  bulkChannelOptions,
  chunkElements,
  endWithStatus,
  randomStream,
  receiveVector,
  sendVector,
  startServer,
  wire,
  type Chunk,
  type RunningServer,
  type WorkerClient,
} from '@fourfold/common';
import { afterEach, expect, test } from 'vitest';
import type { GradientSource } from './exchange.js';
import { pullGradient } from './reduction.js';
import { createReplicaOrder } from './replica-order.js';
import { createUpdater } from './updater.js';

type Call = ServerWritableStream<{ begin: number }, Chunk>;

const length = 3 * chunkElements + 7;
const token = { term: 1, number: 1 };
const gradients = [0, 1, 2].map((replica) => {
  const random = randomStream('gradient', replica);
  return Float32Array.from({ length }, () => random.float() - 0.5);
});

const opened: { client: WorkerClient; server: RunningServer }[] = [];
afterEach(async () => {
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

const streamFrom =
  (client: WorkerClient): GradientSource =>
  ({ begin, ...options }) =>
    receiveVector(client.PullGradient({ token, begin }), { begin, ...options });

/** Pieces of a gradient in the buffers that are given out, each when `due` says so. */
const piecesOf = (gradient: Float32Array, size: number, due: () => Promise<unknown>): GradientSource =>
  async function* ({ begin }, into) {
    for (let at = begin; at < length; at += size) {
      await due();
      const part = gradient.slice(at, at + size);
      const bytes = into(at, part.length);
      bytes.set(new Uint8Array(part.buffer));
      yield { begin: at, bytes };
    }
  };

function reduce() {
  const updater = createUpdater([{ parameterCount: length, length }], 1, chunkElements);
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

test('a first gradient that is read into the sum and refused: the right one takes its place', async () => {
  const expected = await uninterruptedSum(2);
  const { pull, order, sum } = reduce();
  const bad = gradients[2].slice().fill(Infinity, chunkElements);
  const now = async () => undefined;
  await expect(pull(piecesOf(bad, 1 << 16, now), 0)).rejects.toMatchObject({ code: 'invalid' });
  expect(order.of(0)).toBe(chunkElements);
  // Of what comes again only the rest is taken.
  await pull(piecesOf(gradients[0], 1 << 16, now), 0);
  await pull(piecesOf(gradients[1], 1 << 16, now), 1);
  expect(
    sum()
      .subarray(chunkElements * 4)
      .equals(expected.subarray(chunkElements * 4)),
  ).toBe(true);
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
