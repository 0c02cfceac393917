import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadRunConfig } from '@fourfold/common';
import type { Chunk, WorkerMessage } from '@fourfold/rpc';
import { listCheckpoints } from '@fourfold/store';
import { generatorLayout } from '@fourfold/weights';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startCorruptingProxy, type Corruption } from './support/corrupting-proxy.js';
import { otherMachine } from './support/other-machine.js';
import { killAll, photographs, startFourfold, type LogEvent, type Process } from './support/process.js';
import {
  expectSameEnd,
  onceJoined,
  prepareSmallRuns,
  referenceWeights,
  startCoordinator,
  startWorkers,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';

/*
 * A worker that sends bad data is named and refused, and the run continues with the others, or says why not.
 */

const grpc = 'exchange: { transport: grpc }\n';
const tensor = 'block1/conv1/filter';

let runs: SmallRuns;
let reference: Weights;
/** The fourth of the tensor, in the generator's vector. */
let element: number;

beforeAll(async () => {
  runs = await prepareSmallRuns();
  const run = await runs.create('layout', grpc);
  const { tensors } = generatorLayout((await loadRunConfig(run.configPath, [])).generator);
  element = (tensors.find(({ name }) => name === tensor)?.offset ?? NaN) + 3;
  reference = await referenceWeights();
});
afterEach(killAll);
afterAll(() => runs.remove());

/** A run with one worker behind a proxy that changes what it sends. */
async function runWithBadWorker(name: string, corruption: Corruption, ...args: string[]) {
  const run = await runs.create(name, grpc);
  const coordinator = startCoordinator(run, ...args);
  const listening = await coordinator.waitFor(({ event }) => event === 'listening', 'listening');
  const proxy = await startCorruptingProxy(String(listening['address']), corruption);
  startWorkers(run, 1, '--coordinator', proxy.address);
  return { run, coordinator, close: () => proxy.close() };
}

/** Puts a value at `element`, in a given number of the chunks that hold it, after some good ones. */
function poison(value: number, times: number, good = 0): (chunk: Chunk) => Chunk {
  let left = times;
  let goodLeft = good;
  return (chunk) => {
    const [begin, data] = [Number(chunk.begin), Buffer.from(chunk.data as Buffer)];
    const at = element * 4 - begin;
    if (at < 0 || at >= data.length || goodLeft-- > 0 || left-- <= 0) return chunk;
    data.writeFloatLE(value, at);
    return { begin, data };
  };
}

const refused = ({ events }: Process) => events.filter(({ event }) => event === 'bad-gradient');
const named = `NaN or infinity in ${tensor} (element 3 of 576)`;

/** Cuts the gradient that comes after some good ones short. */
function shorten(good: number): (chunk: Chunk) => Chunk {
  let left = good;
  return (chunk) => (left-- === 0 ? { ...chunk, data: (chunk.data as Buffer).subarray(0, 40) } : chunk);
}

test('gradients with NaN, with infinity and of another shape are refused by the tensor’s name, and computed again', async () => {
  // One after the other in the first phase, with good ones between.
  const faults = [poison(NaN, 2), poison(-Infinity, 2, 5), shorten(12)];
  const chunk = (whole: Chunk) => faults.reduce((changed, fault) => fault(changed), whole);
  const { run, coordinator, close } = await runWithBadWorker('some', { chunk });
  await expectSameEnd(run, coordinator, reference);
  expect(coordinator.events.find(({ event }) => event === 'worker-joined')).toMatchObject({ transport: 'grpc' });
  const shape = /^the gradient has a different shape at head\/conv\/filter \(element 10 of 1944\)/;
  const isNamed = { worker: 1, task: expect.stringMatching(/^generator [012]\.\d$/) as string, reason: named };
  expect(refused(coordinator)).toEqual([
    ...Array<LogEvent>(4).fill(expect.objectContaining(isNamed) as LogEvent),
    expect.objectContaining({ inARow: 1, reason: expect.stringMatching(shape) as string }),
  ]);
  await close();
});

test('bad gradients in a row stop the run, with the tensor and the worker, and a checkpoint of its final state', async () => {
  // Those of the first iteration are good.
  const { run, coordinator, close } = await runWithBadWorker('nan', { chunk: poison(NaN, Infinity, 5) });
  expect(await coordinator.exit).toEqual({ code: 2, signal: null });
  expect(coordinator.errors).toHaveLength(1);
  expect(coordinator.errors[0]).toMatch(
    /^fourfold: generator 1\.\d: 5 bad gradients in a row, the last from worker 1: /,
  );
  expect(coordinator.errors[0]).toContain(`${named}; lower the learning rate`);
  await close();
  await killAll();
  expect(await listCheckpoints(run.store)).toEqual(['00000001-0001']);
  const resumed = startCoordinator(run, '--resume');
  startWorkers(run, 1);
  await expectSameEnd(run, resumed, reference);
});

test('a worker whose gradients are all bad does not stop a run that has another worker', async () => {
  // Alone, before the other joins, it would stop the run.
  const bad = { chunk: poison(NaN, Infinity) };
  const { run, coordinator, close } = await runWithBadWorker('one-of-two', bad, ...onceJoined(2));
  startWorkers(run, 1);
  await expectSameEnd(run, coordinator, reference);
  expect(refused(coordinator).length).toBeGreaterThan(0);
  await close();
});

const loss = (message: WorkerMessage): WorkerMessage => {
  const { gradientReady } = message;
  return gradientReady ? { gradientReady: { ...gradientReady, losses: { 'no name': 1 } } } : message;
};

/** A worker's messages, changed; what the worker says, and what the coordinator logs. */
const strange: [string, (message: WorkerMessage) => WorkerMessage, RegExp, string][] = [
  [
    // The first that joins, but it does not set the kind that the run's workers must have.
    'another format of gradients',
    ({ register, ...rest }) =>
      register
        ? {
            register: {
              ...register,
              kind: { ...register.kind, threads: 99 },
              formats: { ...register.formats, gradients: 'BF16' },
            },
          }
        : rest,
    /^fourfold: the worker was started with exchange\.gradients bf16, this coordinator with exchange\.gradients f32: give both the same config$/,
    'worker-refused',
  ],
  [
    'another protocol version',
    (message) => (message.register ? { register: { ...message.register, protocolVersion: 999 } } : message),
    /^fourfold: the worker speaks protocol version 999, this coordinator \d+: use one release for both$/,
    'worker-refused',
  ],
  [
    'an invalid address',
    (message) =>
      message.register ? { register: { ...message.register, exchangeAddress: 'unix:/tmp/socket' } } : message,
    /^fourfold: malformed message: exchangeAddress: must be host:port$/,
    'worker-refused',
  ],
  ['a malformed message', loss, /^fourfold: malformed message: gradientReady\.losses\.no name: /, 'worker-lost'],
];

test('workers with strange messages, or with an address that nobody can reach, get the reason and end; the run goes on without them', async () => {
  const run = await runs.create('strange', grpc);
  const coordinator = startCoordinator(run);
  const listening = await coordinator.waitFor(({ event }) => event === 'listening', 'listening');
  const count = (name: string) => coordinator.events.filter(({ event }) => event === name).length;
  for (const [what, message, says, event] of strange) {
    const before = count(event);
    const proxy = await startCorruptingProxy(String(listening['address']), { message });
    const [worker] = startWorkers(run, 1, '--coordinator', proxy.address);
    expect(await worker.exit, what).toEqual({ code: 1, signal: null });
    expect(worker.errors, what).toEqual([expect.stringMatching(says)]);
    await expect.poll(() => count(event), { message: what }).toBe(before + 1);
    await proxy.close();
  }

  const [unreachable] = startWorkers(run, 1, '--advertise', '127.0.0.1:1');
  expect(await unreachable.exit).toEqual({ code: 1, signal: null });
  expect(unreachable.errors).toEqual([expect.stringMatching(/127\.0\.0\.1:1/)]);
  expect(count('pull-failed')).toBeLessThanOrEqual(10);
  startWorkers(run, 1);
  await expectSameEnd(run, coordinator, reference);
});

test('a machine without the validation folder: its worker leaves and says why, the run goes on with another', async () => {
  const images = join(runs.folder, 'validation');
  await mkdir(images);
  await sharp(join(photographs, 'held-out', 'coffee.png'))
    .resize(120, 80)
    .toFile(join(images, 'coffee.png'));
  const run = await runs.create('unmounted', `${grpc}validation: { images: '${images}', every: 2 }\n`);
  const coordinator = startCoordinator(run, '--set', 'timing.leaseMs=60000');
  await coordinator.waitFor(({ event }) => event === 'listening', 'listening');
  const empty = otherMachine(runs.folder, `mount -t tmpfs tmpfs ${images}`);
  const unfit = startFourfold(['worker', ...run.configArgs], empty);
  expect(await unfit.exit).toEqual({ code: 1, signal: null });
  expect(unfit.errors).toEqual([expect.stringMatching(/^fourfold: .*validation/)]);
  const isTold = ({ event }: LogEvent) => ['worker-unfit', 'worker-failed-to-start'].includes(String(event));
  expect((await coordinator.waitFor(isTold, 'why the worker left'))['reason']).toMatch(/validation/);
  startWorkers(run, 1);
  await expectSameEnd(run, coordinator, reference);
});

const mostKilled = 9;

test('workers killed one after the other with the same lease: it is held back, and the next one computes it', async () => {
  const run = await runs.create('killed', grpc);
  const coordinator = startCoordinator(run);
  const held = () => coordinator.events.find(({ event }) => event === 'lease-lost-again');
  let seats = 0;
  // More than three may be needed: a worker may take the other replica's lease, or compute its own before it is killed.
  while (!held() && seats < mostKilled) {
    const [worker] = startWorkers(run, 1);
    const seat = ++seats;
    await coordinator.waitFor(({ event, worker }) => event === 'lease' && worker === seat, 'a lease');
    worker.child.kill('SIGKILL');
    await coordinator.waitFor(({ event, worker }) => event === 'worker-lost' && worker === seat, 'its loss');
  }
  const { times, lost } = held() as unknown as { times: number; lost: { worker: number }[] };
  expect(times).toBe(3);
  const losers = lost.map(({ worker }) => worker);
  expect(new Set(losers).size).toBe(3);
  expect(losers.at(-1)).toBe(seats);
  startWorkers(run, 1);
  await expectSameEnd(run, coordinator, reference);
});
