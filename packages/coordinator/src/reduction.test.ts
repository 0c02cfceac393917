import { setTimeout as delay } from 'node:timers/promises';
import { credentials, status, type ServerWritableStream } from '@grpc/grpc-js';
import {
  bulkChannelOptions,
  chunkElements,
  endWithStatus,
  randomStream,
  sendVector,
  startServer,
  wire,
  type Chunk,
  type RunningServer,
  type WorkerClient,
} from '@fourfold/common';
import { afterEach, expect, test } from 'vitest';
import { pullGradient } from './reduction.js';
import { createUpdater } from './updater.js';

type Call = ServerWritableStream<{ begin: number }, Chunk>;

const length = 3 * chunkElements + 7;
const token = { term: 1, number: 1 };
const gradients = [0, 1].map((replica) => {
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

function reduce() {
  const updater = createUpdater([{ parameterCount: length, length }], 1, chunkElements);
  const [state] = updater.states;
  let begin = 0;
  return {
    sum: () => Buffer.from(state.sum.buffer, state.sum.byteOffset, state.sum.byteLength),
    begin: () => begin,
    next: () => (begin = 0),
    pull: (client: WorkerClient, first: boolean, silenceMs = 10_000) =>
      pullGradient(
        { client, token, begin, first, silenceMs, signal: new AbortController().signal },
        updater,
        state,
        (elements) => (begin = elements),
      ),
  };
}

async function uninterruptedSum(): Promise<Buffer> {
  const { pull, next, sum } = reduce();
  await pull(await worker(whole(gradients[0])), true);
  next();
  await pull(await worker(whole(gradients[1])), false);
  return Buffer.from(sum());
}

test('the sum is the replicas’, in their order', async () => {
  const expected = gradients[0].map((value, i) => Math.fround(value + gradients[1][i]));
  expect((await uninterruptedSum()).equals(Buffer.from(expected.buffer))).toBe(true);
});

test.each<[string, (call: Call) => unknown, number]>([
  ['is lost', (call) => endWithStatus(call, status.UNAVAILABLE, 'killed'), 10_000],
  ['falls silent', () => undefined, 600],
])('a worker that %s half-way: another’s same gradient goes on where it stopped', async (_, end, silenceMs) => {
  const expected = await uninterruptedSum();
  const { pull, next, begin, sum } = reduce();
  for (const [replica, gradient] of gradients.entries()) {
    next();
    await expect(pull(await worker(halfOf(gradient, end)), replica === 0, silenceMs)).rejects.toThrow();
    expect(begin()).toBe(2 * chunkElements);
    await pull(await worker(whole(gradient)), replica === 0);
    expect(begin()).toBe(length);
  }
  expect(sum().equals(expected)).toBe(true);
});

test('a gradient with NaN is refused at its chunk and leaves the sum as it was there', async () => {
  const { pull, begin, next, sum } = reduce();
  await pull(await worker(whole(gradients[0])), true);
  const before = Buffer.from(sum());
  next();
  const bad = new Float32Array(length);
  bad[chunkElements + 1] = NaN;
  await expect(pull(await worker(whole(bad)), false)).rejects.toMatchObject({
    code: 'invalid',
    message: `the gradient holds NaN or infinity behind element ${chunkElements}`,
  });
  expect(begin()).toBe(chunkElements);
  expect(sum().equals(before)).toBe(true);
});
