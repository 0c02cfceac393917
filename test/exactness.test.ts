import { probeBackends } from '@fourfold/model';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { expectFinished, finished, killAll, type Process } from './support/process.js';
import { startReversingProxy } from './support/reversing-proxy.js';
import {
  onceJoined,
  prepareSmallRuns,
  startCoordinator,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRuns,
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
  let reference: { generator: string; discriminator: string };

  beforeAll(async () => {
    runs = await prepareSmallRuns(backend);
    reference = await finishWith('one-worker', 1);
  });
  afterEach(killAll);
  afterAll(() => runs.remove());

  async function finishWith(name: string, workers: number) {
    const run = await runs.create(name);
    const coordinator = startCoordinator(run);
    const started = startWorkers(run, workers);
    await expectFinished(coordinator);
    for (const worker of started) expect(await worker.exit).toEqual(finished);
    return weightsOf(run);
  }

  const update = (network: string, iteration: number) => ({ event: 'update', network, iteration });

  const addressOf = async (coordinator: Process) =>
    String((await coordinator.waitFor(({ event }) => event === 'listening', 'listening'))['address']);

  test.each([2, 3])('%i workers', async (workers) => {
    expect(await finishWith(`workers-${workers}`, workers)).toEqual(reference);
  });

  test('arrivals in reverse order', async () => {
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

  test('the coordinator killed and resumed', async () => {
    const run = await runs.create('coordinator-killed');
    // That of iteration 4 may be postponed.
    const written = { event: 'checkpoint', iteration: [4, 5, 6, 7] };
    const coordinator = startPart('coordinator', run, freezeAt(runs.folder, written));
    const workers = startWorkers(run, 2);
    const { iteration } = await frozenAt(coordinator, written);
    coordinator.child.kill('SIGKILL');
    await coordinator.exit;
    const successor = startCoordinator(run, '--resume');
    const resumed = await successor.waitFor(({ event }) => event === 'resumed', 'the resumption');
    expect(resumed['iteration']).toBe(iteration);
    await expectFinished(successor);
    for (const worker of workers) expect(await worker.exit).toEqual(finished);
    expect(await weightsOf(run)).toEqual(reference);
  });

  test('the coordinator stopped by SIGTERM between the halves and resumed', async () => {
    const run = await runs.create('coordinator-stopped');
    const firstHalf = update('discriminator', 5);
    const coordinator = startPart('coordinator', run, freezeAt(runs.folder, firstHalf));
    startWorkers(run, 2);
    await frozenAt(coordinator, firstHalf);
    coordinator.child.kill('SIGTERM');
    thaw(coordinator);
    expect(await coordinator.exit).toEqual({ code: 143, signal: null });
    const successor = startCoordinator(run, '--resume');
    const resumed = await successor.waitFor(({ event }) => event === 'resumed', 'the resumption');
    expect(resumed['iteration']).toBeGreaterThanOrEqual(5);
    await expectFinished(successor);
    expect(await weightsOf(run)).toEqual(reference);
  });

  test('the coordinator frozen until its successor has taken over, then woken', async () => {
    const run = await runs.create('coordinator-frozen');
    const firstHalf = update('discriminator', 4);
    const coordinator = startPart('coordinator', run, freezeAt(runs.folder, firstHalf), ...alert);
    startWorkers(run, 2, ...alert);
    await frozenAt(coordinator, firstHalf);
    const work = update('generator', 6);
    const successor = startPart('coordinator', run, freezeAt(runs.folder, work), '--resume', ...alert);
    await frozenAt(successor, work);
    const before = await run.store.list('checkpoints/');
    thaw(coordinator);
    expect(await coordinator.exit).toEqual({ code: 1, signal: null });
    expect(coordinator.errors.join('\n')).toMatch(/a newer coordinator \(term 2\) has taken over/);
    thaw(successor);
    await expectFinished(successor);
    const written = (await run.store.list('checkpoints/')).filter(({ key }) => !before.some((old) => old.key === key));
    expect(written.filter(({ key }) => key.includes('-0001/'))).toEqual([]);
    expect(await weightsOf(run)).toEqual(reference);
  });
});
