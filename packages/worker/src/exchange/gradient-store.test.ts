import { status } from '@grpc/grpc-js';
import {
  chunkBytes,
  createTraffic,
  createWorkerClient,
  openSharedFile,
  readVector,
  receiveVector,
  startServer,
  wire,
  type RunningServer,
  type SharedFile__Output,
  type Traffic,
  type WorkerClient,
} from '@fourfold/rpc';
import { createLogger, type Logger } from '@fourfold/common';
import { createWireLayout, plainLayout } from '@fourfold/weights';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createGradientStore, type GradientStore } from './gradient-store.js';
import { createSharedGradients, type SharedGradients } from './shared-gradients.js';
import { lacks } from '../../../../test/support/needs.mjs';

let shared: SharedGradients;
let store: GradientStore;
let traffic: Traffic['gradients'];
let server: RunningServer;
let client: WorkerClient;
beforeEach(async () => {
  shared = createSharedGradients({ transport: 'auto', folder: '/dev/shm' }, createLogger('test'));
  traffic = createTraffic().gradients;
  store = createGradientStore(shared, traffic);
  server = await startServer('127.0.0.1:0');
  server.addService(wire.Worker.service, store.handlers);
  client = createWorkerClient(server.address);
});
afterEach(async () => {
  client.close();
  await server.close();
  await shared.close();
});

const token = (number: number, term = 1) => ({ term, number });
const [three, six, seven] = [3, 6, 7].map(plainLayout);
function held(layout: typeof three, value: number) {
  const buffer = store.take(layout);
  buffer.vector.fill(value);
  return buffer;
}

/** The first elements of the chunks of a gradient of `length` elements, from an element on. */
async function pull(of: { term: number; number: number }, length: number, from = 0, onChunk = () => {}) {
  const values: number[] = [];
  const begin = from * 4;
  const options = { begin, byteLength: length * 4, silenceMs: 5_000, signal: new AbortController().signal };
  for await (const { bytes } of receiveVector(client.PullGradient({ token: of, begin }), options)) {
    values.push(new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true));
    onChunk();
  }
  return values;
}

test('a gradient is pulled by its token, any number of times, from any element on', async () => {
  await store.offer(token(1), held(six, 1));
  await store.offer(token(2), held(six, 2));
  expect(await pull(token(2), 6)).toEqual([2]);
  expect(await pull(token(1), 6)).toEqual([1]);
  expect(await pull(token(1), 6, 4)).toEqual([1]);
});

test.each([
  ['of another number', token(3), 0],
  ['of another term', token(1, 2), 0],
  ['after the end', token(1), 7],
])('a pull %s is answered with NOT_FOUND', async (_, of, begin) => {
  await store.offer(token(1), held(six, 1));
  await expect(pull(of, 8, begin)).rejects.toMatchObject({ code: status.NOT_FOUND });
});

test('a released gradient is gone, and its buffer is reused for the same length', async () => {
  const buffer = held(six, 1);
  await store.offer(token(1), buffer);
  expect(store.take(six)).not.toBe(buffer);
  store.release(token(1));
  store.release(token(1));
  await expect(pull(token(1), 6)).rejects.toMatchObject({ code: status.NOT_FOUND });
  expect(store.take(seven)).not.toBe(buffer);
  expect(store.take(six)).toBe(buffer);
  expect(store.take(six)).not.toBe(buffer);
});

test('a buffer that was not offered comes back', () => {
  const buffer = held(six, 1);
  store.giveBack(buffer);
  expect(store.take(six)).toBe(buffer);
});

test('a gradient that cannot be offered gives its buffer back, and its token is unknown', async () => {
  const buffer = held(six, 1);
  buffer.encode = () => {
    throw new TypeError('no such section');
  };
  await expect(store.offer(token(1), buffer)).rejects.toThrow('no such section');
  await expect(pull(token(1), 6)).rejects.toMatchObject({ code: status.NOT_FOUND });
  expect(store.take(six)).toBe(buffer);
});

test('clear forgets all and keeps the buffers', async () => {
  const buffers = [held(six, 1), held(six, 2)];
  for (const [i, buffer] of buffers.entries()) await store.offer(token(i), buffer);
  store.clear();
  await expect(pull(token(0), 6)).rejects.toMatchObject({ code: status.NOT_FOUND });
  expect(new Set([store.take(six), store.take(six)])).toEqual(new Set(buffers));
});

test('a gradient released while it is pulled ends the transfer: its buffer is about to change', async () => {
  const length = 128 * (chunkBytes / 4);
  const layout = plainLayout(length);
  const buffer = held(layout, 1);
  await store.offer(token(1), buffer);
  const overwrite = () => {
    store.release(token(1));
    store.take(layout).vector.fill(-1);
  };
  let chunks = 0;
  const pulled = pull(token(1), length, 0, () => {
    if (++chunks === 1) overwrite();
  });
  await expect(pulled).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
});

test('buffers are on shared memory, for the compute thread', () => {
  expect(store.take(three).vector.buffer).toBeInstanceOf(SharedArrayBuffer);
});

test('a gradient is rounded when it is offered, and sent bytes are counted', async () => {
  const rounded = createWireLayout([{ encoding: 'bf16', count: 4 }]);
  const buffer = store.take(rounded);
  buffer.vector.set([1, 1 + 2 ** -9, -2.5, 1e-3]);
  await store.offer(token(1), buffer);
  const options = { begin: 0, byteLength: 8, silenceMs: 5_000, signal: new AbortController().signal };
  for await (const { bytes } of receiveVector(client.PullGradient({ token: token(1), begin: 0 }), options)) {
    expect([...new Uint16Array(bytes.buffer, bytes.byteOffset, 4)]).toEqual([0x3f80, 0x3f80, 0xc020, 0x3a83]);
  }
  expect(traffic).toEqual({ grpc: 8, stream: 0, 'shared-memory': 0 });
});

test.each(['auto', 'shared-memory'] as const)(
  'shared memory that cannot be opened, under transport %s',
  async (transport) => {
    const warn = vi.fn();
    const shared = createSharedGradients({ transport, folder: '/nowhere' }, { warn } as unknown as Logger);
    shared.use(true);
    const put = () => shared.put(token(1), new Uint8Array(4));
    const message = 'there is no shared memory in /nowhere';
    if (transport === 'shared-memory') return expect(put()).rejects.toMatchObject({ code: 'invalid', message });
    expect([await put(), await put()]).toEqual([undefined, undefined]);
    // The second was not tried.
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0][0]).toMatchObject({ reason: expect.stringMatching(`${message}: .`) as string });
  },
);

describe.skipIf(lacks('linux', process.platform === 'linux'))('in shared memory', () => {
  /** What a coordinator of this host reads there. */
  async function read(of: { term: number; number: number }, place: SharedFile__Output | undefined) {
    const file = await openSharedFile(place as SharedFile__Output);
    const values = new Float32Array(3);
    try {
      await readVector(file, of, new Uint8Array(values.buffer), new AbortController().signal);
      return [...values];
    } finally {
      await file.close();
    }
  }

  test('a gradient is found where the offer says, and its buffer is free again', async () => {
    shared.use(true);
    const buffer = held(three, 1);
    const offered = await store.offer(token(1), buffer);
    expect(store.take(three)).toBe(buffer);
    expect(await read(token(1), offered?.file)).toEqual([1, 1, 1]);
    await expect(pull(token(1), 3)).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test('a released gradient’s file is reused, and is not mistaken for the earlier one', async () => {
    shared.use(true);
    const first = await store.offer(token(1), held(three, 1));
    const second = await store.offer(token(2), held(three, 2));
    expect(second?.file).not.toEqual(first?.file);
    store.release(token(1));
    const third = await store.offer(token(3), held(three, 3));
    expect(third?.file).toEqual(first?.file);
    await expect(read(token(1), first?.file)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await read(token(3), third?.file)).toEqual([3, 3, 3]);
    expect(await read(token(2), second?.file)).toEqual([2, 2, 2]);
  });

  test('a gradient that is released while it is written is not announced', async () => {
    shared.use(true);
    const buffer = held(three, 1);
    const offering = store.offer(token(1), buffer);
    store.release(token(1));
    expect(await offering).toBeUndefined();
    expect(store.take(three)).toBe(buffer);
  });

  test('a coordinator that does not share memory pulls', async () => {
    shared.use(true);
    shared.use(false);
    expect(await store.offer(token(1), held(three, 1))).toEqual({ file: undefined });
    expect(await pull(token(1), 3)).toEqual([1]);
  });
});
