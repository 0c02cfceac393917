import { createLogger, randomStream } from '@fourfold/common';
import {
  createHopCounts,
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
import { createWireLayout, plainLayout, withoutFactors } from '@fourfold/weights';
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
/** Everybody waits this long for the hop before, and says so meanwhile, which this process must do on a busy machine. */
const shortMs = 2_000;
/** Seven frames of the sum in float32, an odd end, and a section that is never rounded. */
const count = (6.5 * frameBytes) / 4 + 3;
const layouts = {
  f32: plainLayout(count),
  bf16: createWireLayout([
    { encoding: 'bf16', count: count - 1000 },
    { encoding: 'f32', count: 1000 },
  ]),
  factors: createWireLayout([
    { encoding: 'f32', count: count - 1006 },
    { encoding: 'factors', factors: { rows: 1, inputs: 2, outputs: 3 } },
    { encoding: 'f32', count: 1000 },
  ]),
};
type Format = keyof typeof layouts;

let workers: { server: RunningServer; receiver: StreamReceiver; secret: Uint8Array; traffic: { stream: number } }[];
let coordinator: StreamReceiver;
let gradients: Map<number, WireVector>;
/** How sums cross. */
let sums: Format;
/** What a worker does instead of answering. */
let answers: Map<number, (request: StreamRequest, hop: SumHopSource) => ReturnType<SumHopSource>>;

beforeEach(async () => {
  coordinator = createStreamReceiver(security);
  gradients = new Map();
  answers = new Map();
  sums = 'f32';
  workers = [];
  for (let worker = 0; worker < 3; worker++) {
    const [receiver, secret, traffic] = [
      createStreamReceiver(security),
      randomStreamSecret(),
      createTraffic().gradients,
    ];
    const held = { held: ({ number }: { number: number }) => gradients.get(number) };
    const wires = (['f32', 'bf16', 'factors'] as const).map((gradients) => ({
      gradients: layouts[gradients],
      get sums() {
        return withoutFactors(layouts[sums]);
      },
    }));
    const hop = createSumHop({ gradients: held, wires, receiver, traffic, counts: createHopCounts(), log });
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

function fill(encoding: Format) {
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
const route = (): SumHop[] =>
  [[1, 2], [3], [4]].map((tokens, worker) => ({
    worker: worker + 10,
    address: workers[worker].server.address,
    secret: workers[worker].secret,
    tokens,
  }));

/** The sum's bytes as they cross. */
async function bytesAlong(hops: SumHop[], silenceMs = patienceMs): Promise<Uint8Array> {
  const target = new Uint8Array(new SharedArrayBuffer(withoutFactors(layouts[sums]).byteLength));
  const { peer, request } = sumRequest(hops, term, 0);
  await coordinator.receiveInto(peer, request, target, { silenceMs, signal: new AbortController().signal });
  return target;
}

const sumAlong = async (hops: SumHop[], silenceMs?: number): Promise<Float32Array> =>
  new Float32Array((await bytesAlong(hops, silenceMs)).buffer);

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

test.each(['f32', 'bf16'] as const)(
  'sums of gradients in %s are rounded after each addition, and cross in bfloat16',
  async (encoding) => {
    fill(encoding);
    sums = 'bf16';
    const crossed = await bytesAlong(route());
    const round = createWireVector(layouts.bf16);
    for (const { vector } of gradients.values()) {
      vector.forEach((value, i) => (round.vector[i] += value));
      round.encode();
      round.decode();
    }
    expect(Buffer.compare(crossed.subarray(0, 2 * (count - 1000)), round.bytes.subarray(0, 2 * (count - 1000)))).toBe(
      0,
    );
    expect(Buffer.compare(crossed.subarray(-4000), round.bytes.subarray(-4000))).toBe(0);
    expect(workers.map(({ traffic }) => traffic.stream)).toEqual([1, 1, 1].map(() => layouts.bf16.byteLength));
  },
);

test('the weights whose gradients are factors are not in the sum', async () => {
  fill('factors');
  sums = 'factors';
  const crossed = await sumAlong(route());
  const [first, ...others] = [...gradients.values()].map(({ vector }) => vector);
  const total = first.map((value, i) => others.reduce((sum, vector) => Math.fround(sum + vector[i]), value));
  expect([...crossed]).toEqual([...total.slice(0, count - 1006), ...total.slice(-1000)]);
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
    expect(lostWorker(await failureOf(sumAlong(route(), shortMs)))).toBe(silent + 10);
    answers.clear();
  }
  expectSum(await sumAlong(route()));
});

test('a hop that is slow breaks nothing, and those that wait for it say so', async () => {
  fill('f32');
  let release = (): void => undefined;
  const enough = new Promise<void>((resolve) => (release = resolve));
  answers.set(0, (request, hop) => {
    const found = hop(request);
    if (typeof found === 'string') return found;
    return {
      async *pieces(signal) {
        await enough;
        yield* found.pieces(signal);
      },
    };
  });
  let words = 0;
  answers.set(1, (request, hop) => {
    const found = hop(request);
    if (typeof found === 'string') return found;
    const isWaiting = () => {
      // Of four in the patience of who waits.
      if (++words === 3) release();
      return found.isWaiting?.() ?? false;
    };
    return { ...found, isWaiting };
  });
  expectSum(await sumAlong(route(), shortMs));
  expect(words).toBeGreaterThanOrEqual(3);
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
