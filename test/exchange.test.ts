import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { killAll, startFourfold, type LogEvent, type Process } from './support/process.js';
import {
  expectSameEnd,
  onceJoined,
  prepareSmallRuns,
  referenceWeights,
  startCoordinator,
  startPart,
  startWorkers,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';
import { alert } from './support/timing.js';
import { lacks } from './support/needs.mjs';

/*
 * Parameters and gradients cross in shared memory, by the bulk stream or over gRPC: the same bits, and nothing is left in shared memory.
 */

/** Part of the machine's shared memory, where no other test puts anything. */
const folder = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'fourfold-exchange-'));
const shared = `exchange: { transport: shared-memory, folder: '${folder}' }\n`;

let runs: SmallRuns;
let reference: Weights;

beforeAll(async () => {
  runs = await prepareSmallRuns();
  // By gRPC they are the same: bad-workers.test.ts.
  reference = await referenceWeights();
});
afterEach(killAll);
afterAll(async () => {
  await runs.remove();
  rmSync(folder, { recursive: true });
});

const transportsOf = ({ events }: Process) =>
  events.filter(({ event }) => event === 'worker-joined').map(({ transport }) => transport);

const withoutSharedMemory = ({ events }: Process) => events.filter(({ event }) => event === 'no-shared-memory');

/** Runs a process none of whose files may grow beyond 4 KiB: to it the folder is full. */
const fullFolder = ['bash', '-c', 'ulimit -f 4; exec "$@"', '-'];

const update = (network: string, iteration: number) => ({ event: 'update', network, iteration });

/** Files in shared memory that a process has open, as the kernel names them: each has its own number. */
function sharedFilesOf({ child }: Process): string[] {
  const descriptors = `/proc/${child.pid}/fd`;
  return readdirSync(descriptors).flatMap((descriptor) => {
    try {
      const target = readlinkSync(`${descriptors}/${descriptor}`);
      return target.startsWith(`${folder}/`) ? [target] : [];
    } catch {
      return [];
    }
  });
}

describe.skipIf(lacks('linux', process.platform === 'linux'))('in shared memory', () => {
  test('worker and coordinator killed with vectors in it: the run goes on, and nothing is left', async () => {
    const run = await runs.create('killed', shared);
    const [firstHalf, withoutIt] = [update('discriminator', 4), update('generator', 5)];
    const freezes = freezeAt(runs.folder, firstHalf, withoutIt);
    const coordinator = startPart('coordinator', run, freezes, ...onceJoined(3));
    const workers = startWorkers(run, 3);
    await frozenAt(coordinator, firstHalf);
    // A worker that has computed has its host check, its own gradients, and the coordinator's parameters.
    const computing = () => workers.filter((worker) => sharedFilesOf(worker).length > 2);
    await expect.poll(() => computing().length).toBeGreaterThan(1);
    const [first, second] = computing();
    const ofFirst = sharedFilesOf(first);
    first.child.kill('SIGKILL');
    await first.exit;
    thaw(coordinator);
    await frozenAt(coordinator, withoutIt);
    expect(coordinator.events.filter(({ event }) => event === 'worker-lost')).toHaveLength(1);
    // The kernel has freed the worker's own files, which no other process has open. Only the coordinator's are left.
    const parameters = sharedFilesOf(second).filter((file) => ofFirst.includes(file));
    expect(parameters).not.toEqual([]);
    const leftOfFirst = () => ofFirst.filter((file) => sharedFilesOf(coordinator).includes(file));
    await expect.poll(() => leftOfFirst().sort()).toEqual(parameters.sort());
    coordinator.child.kill('SIGKILL');
    await coordinator.exit;
    const successor = startCoordinator(run, '--resume', ...onceJoined(2));
    await expectSameEnd(run, successor, reference);
    expect(transportsOf(successor)).toEqual(['shared-memory', 'shared-memory']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a worker frozen for longer than its lease, then woken: the weights are those of gRPC', async () => {
    const run = await runs.create('frozen', shared);
    const coordinator = startCoordinator(run, ...alert, ...onceJoined(2));
    const lease = { event: 'lease', iteration: [4, 5, 6] };
    const worker = startPart('worker', run, freezeAt(runs.folder, lease), ...alert);
    startWorkers(run, 1, ...alert);
    await frozenAt(worker, lease);
    const joined = worker.events.findLast(({ event }) => event === 'joined');
    const isLost = (line: LogEvent) => line.event === 'worker-lost' && line['worker'] === joined?.['worker'];
    await coordinator.waitFor(isLost, 'the loss of the frozen worker');
    thaw(worker);
    await expectSameEnd(run, coordinator, reference);
    expect(new Set(transportsOf(coordinator))).toEqual(new Set(['shared-memory']));
    expect(withoutSharedMemory(coordinator)).toEqual([]);
  });

  test('a worker whose shared memory is full: its gradients go by gRPC; one without shared memory joins by the bulk stream; each says so once', async () => {
    const run = await runs.create('full-and-without');
    const coordinator = startCoordinator(run, ...onceJoined(3));
    const full = startFourfold(['worker', ...run.configArgs], fullFolder);
    const [without] = startWorkers(run, 1, '--set', 'exchange.folder=/nowhere');
    startWorkers(run, 1);
    await expectSameEnd(run, coordinator, reference);
    expect(transportsOf(coordinator).sort()).toEqual(['shared-memory', 'shared-memory', 'stream']);
    const reasonsOf = (worker: Process) => withoutSharedMemory(worker).map(({ reason }) => reason);
    expect(reasonsOf(full)).toEqual([
      expect.stringMatching(/^shared memory .* has no room for \d+ bytes.*; make it larger/),
    ]);
    expect(reasonsOf(without)).toEqual([expect.stringMatching(/there is no shared memory in \/nowhere/)]);
    expect(withoutSharedMemory(coordinator)).toHaveLength(1);
  });

  test('full shared memory ends a run that requires it, with a hint, once a fresh worker fails, too', async () => {
    const run = await runs.create('full-and-required', shared);
    const coordinator = startCoordinator(run);
    const limited = () => startFourfold(['worker', ...run.configArgs], fullFolder);
    expect(await limited().exit).toEqual({ code: 1, signal: null });
    limited();
    expect(await coordinator.exit).toEqual({ code: 2, signal: null });
    expect(coordinator.errors.join('\n')).toMatch(
      /shared memory .* has no room for \d+ bytes.*; make it larger .*exchange.transport/,
    );
  });
});

test('by the bulk stream the weights are those of gRPC, also when a worker is killed whose gradient is wanted, and the coordinator in the middle of a sum', async () => {
  const run = await runs.create('by-stream', 'exchange: { transport: stream }\n');
  const firstHalf = update('discriminator', 4);
  // Ranges of two replicas are in the sum, and nothing is committed.
  const thirdReplica = { event: 'gradient', network: 'generator', iteration: 6, replica: 3 };
  const freezes = freezeAt(runs.folder, firstHalf, thirdReplica);
  const coordinator = startPart('coordinator', run, freezes, ...onceJoined(2));
  const workers = startWorkers(run, 2);
  await frozenAt(coordinator, firstHalf);
  workers[0].child.kill('SIGKILL');
  await workers[0].exit;
  thaw(coordinator);
  await frozenAt(coordinator, thirdReplica);
  coordinator.child.kill('SIGKILL');
  await coordinator.exit;
  const successor = startCoordinator(run, '--resume');
  await expectSameEnd(run, successor, reference);
  expect([...transportsOf(coordinator), ...transportsOf(successor)]).toEqual(['stream', 'stream', 'stream']);
});
