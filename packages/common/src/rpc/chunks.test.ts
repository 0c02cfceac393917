import { setTimeout as delay } from 'node:timers/promises';
import { credentials, status, type ServerWritableStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Chunk } from '../generated/fourfold/v1/Chunk.js';
import type { GradientRequest__Output } from '../generated/fourfold/v1/GradientRequest.js';
import type { WorkerClient } from '../generated/fourfold/v1/Worker.js';
import { endWithStatus, receiveVector, sendVector } from './chunks.js';
import { startServer, type RunningServer } from './server.js';
import { bulkChannelOptions, chunkElements, wire } from './wire.js';

type Call = ServerWritableStream<GradientRequest__Output, Chunk>;

/** Three chunks and a bit; each element tells its place. */
const vector = Float32Array.from({ length: 3 * chunkElements + 5 }, (_, i) => i);

let server: RunningServer;
let client: WorkerClient;
/** What the sender does with a call; each test sets its own. */
let send: (call: Call) => unknown;

beforeEach(async () => {
  server = await startServer('127.0.0.1:0');
  server.addService(wire.Worker.service, { PullGradient: (call: Call) => void send(call) });
  client = new wire.Worker(server.address, credentials.createInsecure(), bulkChannelOptions);
});
afterEach(async () => {
  client.close();
  await server.close();
});

interface Pull {
  begin?: number;
  silenceMs?: number;
  signal?: AbortSignal;
  onChunk?: (end: number) => unknown;
}

/** Pull the vector into a new one; what did not come stays NaN. */
async function pull({ begin = 0, silenceMs = 5_000, signal = new AbortController().signal, onChunk }: Pull) {
  const received = new Float32Array(vector.length).fill(NaN);
  const call = client.PullGradient({ token: { term: 1, number: 1 }, begin });
  for await (const chunk of receiveVector(call, { begin, length: vector.length, silenceMs, signal })) {
    new Uint8Array(received.buffer).set(chunk.bytes, chunk.begin * 4);
    await onChunk?.(chunk.begin + chunk.bytes.byteLength / 4);
  }
  return received;
}

const always = () => true;
const bytesOf = (all: Float32Array, begin: number) => Buffer.from(all.buffer, begin * 4);

test('a whole vector arrives', async () => {
  send = (call) => sendVector(call, vector, 0, always);
  expect(bytesOf(await pull({}), 0).equals(bytesOf(vector, 0))).toBe(true);
});

test('a pull goes on where an earlier one stopped', async () => {
  const begin = chunkElements + 3;
  send = (call) => sendVector(call, vector, call.request.begin, always);
  const received = await pull({ begin });
  expect(received.subarray(0, begin).every(Number.isNaN)).toBe(true);
  expect(bytesOf(received, begin).equals(bytesOf(vector, begin))).toBe(true);
});

test('a slow receiver holds the sender back, and all of it arrives without a warning', async () => {
  const warnings: Error[] = [];
  process.on('warning', (warning) => warnings.push(warning));
  const large = new Float32Array(40 * chunkElements);
  let produced = 0;
  send = (call) => sendVector(call, large, 0, () => Boolean(++produced));
  const call = client.PullGradient({ token: { term: 1, number: 1 }, begin: 0 });
  const chunks = receiveVector(call, {
    begin: 0,
    length: large.length,
    silenceMs: 5_000,
    signal: new AbortController().signal,
  });
  await chunks.next();
  await delay(300);
  expect(produced).toBeLessThan(35);
  while (!(await chunks.next()).done);
  expect(produced).toBe(40);
  expect(warnings).toEqual([]);
});

test('a version that is gone half-way ends the transfer with FAILED_PRECONDITION', async () => {
  let asked = 0;
  send = (call) => sendVector(call, vector, 0, () => ++asked < 3);
  await expect(pull({})).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
});

test('a sender that falls silent counts as unavailable, within the time told', async () => {
  send = (call) => call.write({ encoding: 'F32', begin: 0, count: 1, data: Buffer.alloc(4) });
  const begunMs = performance.now();
  await expect(pull({ silenceMs: 200 })).rejects.toMatchObject({
    code: 'unavailable',
    message: 'no byte came for 200 ms',
  });
  expect(performance.now() - begunMs).toBeLessThan(1_500);
});

test('a sender that ends early counts as unavailable', async () => {
  send = (call) => sendVector(call, vector.subarray(0, chunkElements), 0, always);
  await expect(pull({})).rejects.toMatchObject({
    code: 'unavailable',
    message: `the transfer ended at element ${chunkElements} of ${vector.length}`,
  });
});

test('a sender’s own status reaches the receiver', async () => {
  send = (call) => endWithStatus(call, status.NOT_FOUND, 'no gradient of token 1.1');
  await expect(pull({})).rejects.toMatchObject({ code: status.NOT_FOUND, details: 'no gradient of token 1.1' });
});

test.each<[string, Chunk]>([
  ['of another place', { encoding: 'F32', begin: 1, count: 1, data: Buffer.alloc(4) }],
  ['with fewer bytes than it says', { encoding: 'F32', begin: 0, count: 2, data: Buffer.alloc(4) }],
  ['behind the end', { encoding: 'F32', begin: 0, count: vector.length + 1, data: Buffer.alloc(4) }],
  ['of no elements', { encoding: 'F32', begin: 0, count: 0, data: Buffer.alloc(0) }],
])('a chunk %s is refused', async (_, chunk) => {
  send = (call) => call.write(chunk);
  await expect(pull({ silenceMs: 500 })).rejects.toMatchObject({ code: 'mismatch' });
});

test('a cancelled transfer stops the sender', async () => {
  const cancel = new AbortController();
  let closed = false;
  send = (call) => {
    call.on('cancelled', () => (closed = true));
    call.write({ encoding: 'F32', begin: 0, count: 1, data: Buffer.alloc(4) });
  };
  await expect(pull({ signal: cancel.signal, onChunk: () => cancel.abort() })).rejects.toMatchObject({
    code: status.CANCELLED,
  });
  await expect.poll(() => closed).toBe(true);
});

test('a transfer whose signal is aborted already does not begin', async () => {
  send = (call) => sendVector(call, vector, 0, always);
  await expect(pull({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: status.CANCELLED });
});

test('more than a thousand transfers over one connection: none is reset, for which servers cut clients off', async () => {
  const small = vector.subarray(0, 3);
  send = (call) => sendVector(call, small, 0, always);
  const options = { begin: 0, length: small.length, silenceMs: 5_000, signal: new AbortController().signal };
  for (let i = 0; i < 1_500; i++) {
    const call = client.PullGradient({ token: { term: 1, number: i }, begin: 0 });
    for await (const { bytes } of receiveVector(call, options)) expect(bytes.byteLength).toBe(12);
  }
});
