import { probeBackends } from '@fourfold/model';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { expectFinished, killAll, type LogEvent, type Process } from './support/process.js';
import { startReversingProxy } from './support/reversing-proxy.js';
import {
  finishAlone,
  onceJoined,
  prepareSmallRuns,
  referenceWeights,
  startCoordinator,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';
import { alert } from './support/timing.js';
import { lacks } from './support/needs.mjs';

/*
 * Promise 1 of the design: the same weights, to the last bit, however many workers there are, in whatever order their
 * answers come, and whatever is killed or frozen on the way.
 */

/** torch if it is set up. */
const [torch] = probeBackends();
const backends = lacks('torch', torch.found, torch.detail) ? (['wasm'] as const) : (['wasm', 'torch'] as const);

describe.each(backends)('on %s', (backend) => {
  let runs: SmallRuns;
  let reference: Weights;

  beforeAll(async () => {
    runs = await prepareSmallRuns(backend);
    reference = backend === 'wasm' ? await referenceWeights() : await finishAlone(await runs.create('one-worker'));
  });
  afterEach(killAll);
  afterAll(() => runs.remove());

  const update = (network: string, iteration: number | number[]) => ({ event: 'update', network, iteration });

  const addressOf = async (coordinator: Process) =>
    String((await coordinator.waitFor(({ event }) => event === 'listening', 'listening'))['address']);

  test('three workers whose answers arrive in reverse order', async () => {
    const run = await runs.create('reversed');
    const coordinator = startCoordinator(run);
    const proxy = await startReversingProxy(await addressOf(coordinator), 5);
    startWorkers(run, 3, '--coordinator', proxy.address);
    await expectFinished(coordinator);
    expect(proxy.reversals()).toBe(3 + 2 * 5);
    await proxy.close();
    expect(await weightsOf(run)).toEqual(reference);
  });

  test('a worker killed between the halves, another frozen for longer than its lease', async () => {
    const run = await runs.create('killed-and-frozen');
    const coordinator = startCoordinator(run, ...alert, ...onceJoined(3));
    const [secondHalf, later] = [
      { event: 'lease', network: 'GENERATOR', iteration: [3, 4] },
      { event: 'lease', iteration: [5, 6, 7] },
    ];
    const first = startPart('worker', run, freezeAt(runs.folder, secondHalf), ...alert);
    const second = startPart('worker', run, freezeAt(runs.folder, later), ...alert);
    startWorkers(run, 1, ...alert);
    await frozenAt(first, secondHalf);
    first.child.kill('SIGKILL');
    await frozenAt(second, later);
    const { worker } = second.events.findLast(({ event }) => event === 'joined') as { worker: number };
    const lost = await coordinator.waitFor(
      (line) => line.event === 'worker-lost' && line['worker'] === worker,
      'its loss',
    );
    expect(lost['reason']).toMatch(/silent|ran out/);
    expect(lost['leases']).not.toEqual([]);
    thaw(second);
    await expectFinished(coordinator);
    expect(await weightsOf(run)).toEqual(reference);
  });

  test('two workers, and four coordinators: one killed, one stopped between the halves, one frozen until the last takes over', async () => {
    const run = await runs.create('coordinators');
    const start = (freeze: LogEvent, ...args: string[]) =>
      startPart('coordinator', run, freezeAt(runs.folder, freeze), ...args, ...alert);
    const resumed = async (coordinator: Process) =>
      (await coordinator.waitFor(({ event }) => event === 'resumed', 'the resumption'))['iteration'];
    startWorkers(run, 2, ...alert);

    const written = { event: 'checkpoint', iteration: 2 };
    const killed = start(written);
    await frozenAt(killed, written);
    killed.child.kill('SIGKILL');
    await killed.exit;

    const firstHalf = update('discriminator', 4);
    const stopped = start(firstHalf, '--resume');
    expect(await resumed(stopped)).toBe(2);
    await frozenAt(stopped, firstHalf);
    stopped.child.kill('SIGTERM');
    thaw(stopped);
    expect(await stopped.exit).toEqual({ code: 143, signal: null });

    const later = update('discriminator', [5, 6, 7]);
    const frozen = start(later, '--resume');
    expect(await resumed(frozen)).toBeGreaterThanOrEqual(4);
    await frozenAt(frozen, later);
    const work = update('generator', [4, 5, 6, 7]);
    const last = start(work, '--resume');
    await frozenAt(last, work);
    const before = await run.store.list('checkpoints/');
    thaw(frozen);
    expect(await frozen.exit).toEqual({ code: 1, signal: null });
    expect(frozen.errors.join('\n')).toMatch(/a newer coordinator \(term 4\) has taken over/);
    thaw(last);
    await expectFinished(last);
    const since = (await run.store.list('checkpoints/')).filter(({ key }) => !before.some((old) => old.key === key));
    expect(since.filter(({ key }) => key.includes('-0003/'))).toEqual([]);
    expect(await weightsOf(run)).toEqual(reference);
  });
});
