import { createLogger, randomStream } from '@fourfold/common';
import {
  createStreamReceiver,
  createTraffic,
  createWireVector,
  frameBytes,
  isSecret,
  lostWorker,
  randomStreamSecret,
  readRpcSecurity,
  startServer,
  sumRequest,
  type RunningServer,
  type StreamRequest,
  type StreamReceiver,
  type SumHop,
  type WireVector,
} from '@fourfold/rpc';
import { createWireLayout, plainLayout } from '@fourfold/weights';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSumHop, type SumHopSource } from './sum-hop.js';

/*
 * Sums along a chain of three workers, each with its own server. The first holds two gradients.
 */

const log = createLogger('test');
log.level = 'silent';
const security = readRpcSecurity({});
const term = 2;
/** Nobody is silent for being slow. */
const patienceMs = 120_000;
/** Seven frames of the sum, an odd end, and a section that is never rounded. */
const count = (6.5 * frameBytes) / 4 + 3;
const layouts = {
  f32: plainLayout(count),
  bf16: createWireLayout([
    { encoding: 'bf16', count: count - 1000 },
    { encoding: 'f32', count: 1000 },
  ]),
};

let workers: { server: RunningServer; receiver: StreamReceiver; secret: Uint8Array; traffic: { stream: number } }[];
let coordinator: StreamReceiver;
let gradients: Map<number, WireVector>;
/** What a worker does instead of answering. */
let answers: Map<number, (request: StreamRequest, hop: SumHopSource) => ReturnType<SumHopSource>>;

beforeEach(async () => {
  coordinator = createStreamReceiver(security);
  gradients = new Map();
  answers = new Map();
  workers = [];
  for (let worker = 0; worker < 3; worker++) {
    const [receiver, secret, traffic] = [
      createStreamReceiver(security),
      randomStreamSecret(),
      createTraffic().gradients,
    ];
    const held = { held: ({ number }: { number: number }) => gradients.get(number) };
    const hop = createSumHop({ gradients: held, receiver, traffic, log });
    const server = await startServer('127.0.0.1:0', { security });
    server.addStream(['coordinator', 'worker'], (request) =>
      isSecret(request.secret, secret) ? (answers.get(worker) ?? ((asked) => hop(asked)))(request, hop) : 'stranger',
    );
    workers.push({ server, receiver, secret, traffic });
  }
});
afterEach(async () => {
  await coordinator.close();
  for (const { server, receiver } of workers) {
    await receiver.close();
    await server.close(0);
  }
});

function fill(encoding: 'f32' | 'bf16') {
  for (let token = 1; token <= 4; token++) {
    const gradient = createWireVector(layouts[encoding]);
    const stream = randomStream('gradient', token);
    gradient.vector.forEach((_, i) => (gradient.vector[i] = stream.float() * 2 - 1));
    gradient.encode();
    gradient.decode();
    gradients.set(token, gradient);
  }
}

/** Tokens 1 and 2 on the first worker, 3 and 4 on the others. */
const route = (rounded = 0): SumHop[] =>
  [[1, 2], [3], [4]].map((tokens, worker) => ({
    worker: worker + 10,
    address: workers[worker].server.address,
    secret: workers[worker].secret,
    tokens,
    rounded,
    silenceMs: patienceMs,
  }));

async function sumAlong(hops: SumHop[]): Promise<Float32Array> {
  const target = new Uint8Array(new SharedArrayBuffer(count * 4));
  const { peer, request } = sumRequest(hops, term, 0);
  await coordinator.receiveInto(peer, request, target, { silenceMs: patienceMs, signal: new AbortController().signal });
  return new Float32Array(target.buffer);
}

const failureOf = (sum: Promise<unknown>) =>
  sum.then(
    () => undefined,
    (error: unknown) => error,
  );

/** ((g1 + g2) + g3) + g4, rounded after each addition. */
function expectSum(sum: Float32Array): void {
  const [first, ...others] = [...gradients.values()].map(({ vector }) => vector);
  const differing = sum.findIndex(
    (value, i) => value !== others.reduce((total, vector) => Math.fround(total + vector[i]), first[i]),
  );
  expect(differing).toBe(-1);
}

test.each(['f32', 'bf16'] as const)(
  'gradients in %s are added in their order, and each link carries one sum',
  async (encoding) => {
    fill(encoding);
    const sums = await Promise.all([sumAlong(route()), sumAlong(route())]);
    sums.forEach(expectSum);
    expect(workers.map(({ traffic }) => traffic.stream)).toEqual([2, 2, 2].map((sums) => sums * count * 4));
  },
);

test('the first elements of a sum are rounded after each addition', async () => {
  fill('f32');
  const rounded = count - 1000;
  const sum = await sumAlong(route(rounded));
  const round = createWireVector(createWireLayout([{ encoding: 'bf16', count: rounded }]));
  const expected = new Float32Array(count);
  for (const { vector } of gradients.values()) {
    vector.forEach((value, i) => (expected[i] = Math.fround(expected[i] + value)));
    round.vector.set(expected.subarray(0, rounded));
    round.encode();
    round.decode();
    expected.set(round.vector);
  }
  expect(Buffer.compare(Buffer.from(sum.buffer), Buffer.from(expected.buffer))).toBe(0);
});

test('a hop that goes silent in the middle is named, whichever it is, and the next sum is whole', async () => {
  fill('f32');
  for (const silent of [0, 1]) {
    answers.set(silent, (request, hop) => {
      const found = hop(request);
      if (typeof found === 'string') return found;
      return {
        async *pieces(signal) {
          let pieces = 0;
          for await (const piece of found.pieces(signal)) {
            if (pieces++ === 2)
              await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('left'))));
            yield piece;
          }
        },
      };
    });
    const hops = route();
    hops[silent + 1].silenceMs = 300;
    expect(lostWorker(await failureOf(sumAlong(hops)))).toBe(silent + 10);
    answers.clear();
  }
  expectSum(await sumAlong(route()));
});

test('a hop that is gone, and one that no longer holds its gradient, are named', async () => {
  fill('f32');
  const gradient = gradients.get(3) as WireVector;
  gradients.delete(3);
  expect(lostWorker(await failureOf(sumAlong(route())))).toBe(11);
  gradients.set(3, gradient);
  await workers[0].server.close(0);
  expect(lostWorker(await failureOf(sumAlong(route())))).toBe(10);
});

test('a gradient that is not finite ends the sum at its worker', async () => {
  fill('f32');
  (gradients.get(3) as WireVector).vector[count - 1] = NaN;
  expect(lostWorker(await failureOf(sumAlong(route())))).toBe(11);
});

test('a gradient that is released in the middle is not added, though its buffer is used again', async () => {
  fill('f32');
  answers.set(0, (request, hop) => {
    const found = hop(request);
    if (typeof found === 'string') return found;
    return {
      async *pieces(signal) {
        for await (const piece of found.pieces(signal)) {
          yield piece;
          gradients.delete(2);
        }
      },
    };
  });
  expect(lostWorker(await failureOf(sumAlong(route())))).toBe(10);
});

test('a request without a route, or with one that is none, gets nothing', async () => {
  fill('f32');
  const { peer, request } = sumRequest(route(), term, 0);
  for (const bytes of [new Uint8Array(), new TextEncoder().encode('[{"worker":1}]')]) {
    const target = new Uint8Array(new SharedArrayBuffer(8));
    const options = { silenceMs: patienceMs, signal: new AbortController().signal };
    await expect(coordinator.receiveInto(peer, { ...request, route: bytes }, target, options)).rejects.toThrow(
      /there is no 2.4/,
    );
  }
});
