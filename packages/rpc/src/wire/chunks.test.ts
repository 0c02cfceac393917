import { setTimeout as delay } from 'node:timers/promises';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Chunk } from '../generated/fourfold/v1/Chunk.js';
import type { GradientRequest__Output } from '../generated/fourfold/v1/GradientRequest.js';
import type { WorkerClient } from '../generated/fourfold/v1/Worker.js';
import { endWithStatus, receiveVector, sendVector } from './chunks.js';
import { createWorkerClient } from '../ends/client.js';
import { startServer, type RunningServer } from '../ends/server.js';
import { chunkBytes, wire } from './wire.js';

type Call = ServerWritableStream<GradientRequest__Output, Chunk>;

/** A little more than three chunks; each element holds its index. In shared memory, like those of workers. */
const vector = new Uint8Array(new SharedArrayBuffer(3 * chunkBytes + 20));
new Uint32Array(vector.buffer).forEach((_, i, all) => (all[i] = i));

let server: RunningServer;
let client: WorkerClient;
/** How the sender answers a call; each test sets its own. */
let send: (call: Call) => unknown;

beforeEach(async () => {
  server = await startServer('127.0.0.1:0');
  server.addService(wire.Worker.service, { PullGradient: (call: Call) => void send(call) });
  client = createWorkerClient(server.address);
});
afterEach(async () => {
  client.close();
  await server.close();
});

interface Pull {
  begin?: number;
  silenceMs?: number;
  signal?: AbortSignal;
  onChunk?: (chunk: { begin: number; bytes: Uint8Array }) => unknown;
}

/** Pull the vector into a new one; what did not arrive stays zero. */
async function pull({ begin = 0, silenceMs = 5_000, signal = new AbortController().signal, onChunk }: Pull) {
  const received = Buffer.alloc(vector.byteLength);
  const call = client.PullGradient({ token: { term: 1, number: 1 }, begin });
  for await (const chunk of receiveVector(call, { begin, byteLength: vector.byteLength, silenceMs, signal })) {
    received.set(chunk.bytes, chunk.begin);
    await onChunk?.(chunk);
  }
  return received;
}

const always = () => true;
const fourBytes: Chunk = { begin: 0, data: Buffer.alloc(4) };

test('a whole vector arrives, each chunk at a multiple of eight in its buffer', async () => {
  send = (call) => sendVector(call, vector, 0, always);
  const places: number[] = [];
  const received = await pull({ onChunk: ({ bytes }) => places.push(bytes.byteOffset % 8) });
  expect(received.equals(vector)).toBe(true);
  expect(places).toEqual([0, 0, 0, 0]);
});

test('a pull resumes where an earlier one stopped', async () => {
  const begin = chunkBytes + 12;
  send = (call) => sendVector(call, vector, call.request.begin, always);
  const received = await pull({ begin });
  expect(received.subarray(0, begin).equals(Buffer.alloc(begin))).toBe(true);
  expect(received.subarray(begin).equals(vector.subarray(begin))).toBe(true);
});

test('a chunk is copied before it leaves: later changes of the vector do not reach the receiver', async () => {
  const changing = new Uint8Array(new SharedArrayBuffer(8 * chunkBytes));
  let asked = 0;
  send = (call) => sendVector(call, changing, 0, () => Boolean(changing.fill(++asked)));
  const call = client.PullGradient({ token: { term: 1, number: 1 }, begin: 0 });
  const { signal } = new AbortController();
  const options = { begin: 0, byteLength: changing.byteLength, silenceMs: 5_000, signal };
  const values: number[] = [];
  for await (const { bytes } of receiveVector(call, options)) {
    expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
    values.push(bytes[0]);
    await delay(5);
  }
  expect(values).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a slow receiver holds the sender back, and everything arrives without a warning', async () => {
  const warnings: Error[] = [];
  process.on('warning', (warning) => warnings.push(warning));
  const large = new Uint8Array(160 * chunkBytes);
  let produced = 0;
  send = (call) => sendVector(call, large, 0, () => Boolean(++produced));
  const call = client.PullGradient({ token: { term: 1, number: 1 }, begin: 0 });
  const chunks = receiveVector(call, {
    begin: 0,
    byteLength: large.byteLength,
    silenceMs: 5_000,
    signal: new AbortController().signal,
  });
  await chunks.next();
  await delay(300);
  expect(produced).toBeLessThan(140);
  while (!(await chunks.next()).done);
  expect(produced).toBe(160);
  expect(warnings).toEqual([]);
});

test('a version that goes away half-way ends the transfer with FAILED_PRECONDITION', async () => {
  let asked = 0;
  send = (call) => sendVector(call, vector, 0, () => ++asked < 3);
  await expect(pull({})).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
});

test('a sender that falls silent counts as unavailable after the given time', async () => {
  send = (call) => call.write(fourBytes);
  await expect(pull({ silenceMs: 200 })).rejects.toMatchObject({
    code: 'unavailable',
    message: 'no data arrived for 200 ms',
  });
});

test('a sender that ends early has a vector of another length', async () => {
  send = (call) => sendVector(call, vector.subarray(0, chunkBytes), 0, always);
  await expect(pull({})).rejects.toMatchObject({
    code: 'mismatch',
    message: `the transfer ended at byte ${chunkBytes} of ${vector.length}`,
  });
});

test('a sender’s own status reaches the receiver', async () => {
  send = (call) => endWithStatus(call, status.NOT_FOUND, 'no gradient of token 1.1');
  await expect(pull({})).rejects.toMatchObject({ code: status.NOT_FOUND, details: 'no gradient of token 1.1' });
});

const last = vector.byteLength - 4;
test.each<[string, Chunk]>([
  ['of another place', { begin: last - 4, data: Buffer.alloc(4) }],
  ['that ends in an element', { begin: last, data: Buffer.alloc(2) }],
  ['beyond the end', { begin: last, data: Buffer.alloc(8) }],
  ['without data', { begin: last, data: Buffer.alloc(0) }],
])('a chunk %s is refused', async (_, chunk) => {
  send = (call) => call.write(chunk);
  await expect(pull({ begin: last, silenceMs: 5_000 })).rejects.toMatchObject({ code: 'mismatch' });
});

test('a cancelled transfer stops the sender', async () => {
  const cancel = new AbortController();
  let closed = false;
  send = (call) => {
    call.on('cancelled', () => (closed = true));
    call.write(fourBytes);
  };
  await expect(pull({ signal: cancel.signal, onChunk: () => cancel.abort() })).rejects.toMatchObject({
    code: status.CANCELLED,
  });
  await expect.poll(() => closed).toBe(true);
});

test('a transfer whose signal is already aborted does not begin', async () => {
  send = (call) => sendVector(call, vector, 0, always);
  await expect(pull({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: status.CANCELLED });
});

test('more than a thousand transfers over one connection: none is reset, since servers cut clients off for resets', async () => {
  const small = vector.subarray(0, 12);
  send = (call) => sendVector(call, small, 0, always);
  const options = { begin: 0, byteLength: small.length, silenceMs: 5_000, signal: new AbortController().signal };
  for (let i = 0; i < 1_500; i++) {
    const call = client.PullGradient({ token: { term: 1, number: i }, begin: 0 });
    for await (const { bytes } of receiveVector(call, options)) expect(bytes.byteLength).toBe(12);
  }
});
