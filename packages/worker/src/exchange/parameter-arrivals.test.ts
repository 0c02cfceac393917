import { createLogger } from '@fourfold/common';
import {
  createHopCounts,
  createStreamReceiver,
  createTraffic,
  frameBytes,
  isSecret,
  randomStreamSecret,
  readRpcSecurity,
  startServer,
  type NewParameters__Output,
  type RunningServer,
  type StreamReceiver,
} from '@fourfold/rpc';
import { afterEach, expect, test } from 'vitest';
import { createParameterArrivals } from './parameter-arrivals.js';
import { createParameterRelay, type ParameterRelay } from './parameter-relay.js';

/*
 * Parameters along a chain of three workers, each with its own server.
 */

const log = createLogger('test');
log.level = 'silent';
const security = readRpcSecurity({});
const term = 2;
/** Nobody is silent for being slow. */
const patienceMs = 120_000;
/** Everybody waits this long for the worker before, and says so meanwhile, which this process must do on a busy machine. */
const shortMs = 2_000;
const parameters = new Uint8Array(5.5 * frameBytes).map((_, i) => (i * 7) % 253);

interface Worker {
  server: RunningServer;
  receiver: StreamReceiver;
  relay: ParameterRelay;
  secret: Uint8Array;
  target: Uint8Array;
  /** From which byte on it has asked the coordinator. */
  asked: number[];
  silent: number[];
  arrivals: ReturnType<typeof createParameterArrivals>;
  traffic: { stream: number };
  /** It reads and answers no more from this frame on, as a frozen process. */
  freezesAt?: number;
}

let workers: Worker[];

async function startWorker(silenceMs: number): Promise<Worker> {
  const [receiver, relay, secret] = [
    createStreamReceiver(security),
    createParameterRelay(silenceMs),
    randomStreamSecret(),
  ];
  const traffic = createTraffic().parameters;
  const asked: number[] = [];
  const silent: number[] = [];
  const server = await startServer('127.0.0.1:0', { security });
  const pull: Parameters<typeof createParameterArrivals>[0]['pulls']['pull'] = async (_, __, place) => {
    const { target, begin = 0, onReached } = place;
    asked.push(begin);
    target.set(parameters.subarray(begin), begin);
    onReached?.(target.byteLength);
  };
  const arrivals = createParameterArrivals({
    ...{ receiver, relay, pulls: { pull }, term, traffic, counts: createHopCounts(), silenceMs, log },
    signal: new AbortController().signal,
    onSilent: (worker) => silent.push(worker),
  });
  const target = new Uint8Array(new SharedArrayBuffer(parameters.byteLength));
  const worker: Worker = { server, receiver, relay, secret, target, asked, silent, arrivals, traffic };
  server.addStream(['worker'], (request) => {
    if (!isSecret(request.secret, secret)) return 'stranger';
    const found = relay.source({ ...request, kind: 'generator' });
    if (typeof found === 'string') return found;
    let isFrozen = false;
    return {
      isWaiting: () => !isFrozen,
      async *pieces(signal) {
        for await (const piece of found.pieces(signal)) {
          isFrozen = worker.freezesAt !== undefined && piece.begin >= worker.freezesAt * frameBytes;
          if (isFrozen)
            await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('left'))));
          yield piece;
        }
      },
    };
  });
  return worker;
}

async function startWorkers(silenceMs = patienceMs): Promise<void> {
  workers = [];
  for (let worker = 0; worker < 3; worker++) workers.push(await startWorker(silenceMs));
}
afterEach(async () => {
  for (const { server, receiver } of workers) {
    await receiver.close();
    await server.close(0);
  }
});

/** All fetch version 7, each from the worker before it. */
function fetchAll() {
  return Promise.all(
    workers.map(({ arrivals, target }, i) => {
      const before = workers.at(i - 1) as Worker;
      const from = { worker: i + 9, address: before.server.address, secret: Buffer.from(before.secret) };
      const news = { network: 'GENERATOR', version: 7, from: i > 0 ? from : null };
      arrivals.announced(news as NewParameters__Output);
      return arrivals.fetch('generator', 'generator', 7, target);
    }),
  );
}

const expectAll = () => {
  for (const { target } of workers) expect(Buffer.compare(target, parameters)).toBe(0);
};

test('each worker gets all from the one before it, and the coordinator sends them once', async () => {
  await startWorkers();
  await fetchAll();
  expectAll();
  expect(workers.map(({ asked }) => asked)).toEqual([[0], [], []]);
  expect(workers.map(({ relay }) => relay.passedBytes())).toEqual([parameters.byteLength, parameters.byteLength, 0]);
  expect(workers.map(({ traffic }) => traffic.stream)).toEqual([0, parameters.byteLength, parameters.byteLength]);
});

test.each([0, 1])('behind worker %i, which freezes, the next asks for the rest, and nobody else', async (frozen) => {
  await startWorkers(shortMs);
  workers[frozen].freezesAt = 2;
  await fetchAll();
  expectAll();
  expect(workers.map(({ asked }) => asked)).toEqual([
    [0],
    frozen === 0 ? [2 * frameBytes] : [],
    frozen === 1 ? [2 * frameBytes] : [],
  ]);
  expect(workers.flatMap(({ silent }) => silent)).toEqual([frozen + 10]);
});

test('a worker that is gone is reported; one that has parameters in another form is not', async () => {
  await startWorkers();
  await workers[1].server.close(0);
  await fetchAll();
  expectAll();
  expect(workers[2].silent).toEqual([11]);
  workers[0].relay.begin({ term, kind: 'generatorDeltas', version: 7, bytes: new Uint8Array(8) });
  const from = { worker: 10, address: workers[0].server.address, secret: Buffer.from(workers[0].secret) };
  const news = { network: 'GENERATOR', version: 7, from };
  workers[2].arrivals.announced(news as NewParameters__Output);
  await workers[2].arrivals.fetch('generator', 'generator', 7, workers[2].target);
  expect(workers[2].silent).toEqual([11]);
});
