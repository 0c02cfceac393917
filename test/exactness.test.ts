import { probeBackends } from '@fourfold/model';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectFinished, finished, killAll, type Process } from './support/process.js';
import { startReversingProxy } from './support/reversing-proxy.js';
import { prepareSmallRuns, startCoordinator, startWorkers, weightsOf, type SmallRuns } from './support/small-run.js';
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

  const update = (network: string, iteration: number) => (event: { [field: string]: unknown }) =>
    event['event'] === 'update' && event['network'] === network && event['iteration'] === iteration;

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
    const coordinator = startCoordinator(run, ...alert);
    const [first, second] = startWorkers(run, 3, ...alert);
    await coordinator.waitFor(update('discriminator', 3), 'a first half');
    first.child.kill('SIGKILL');
    await coordinator.waitFor(update('discriminator', 5), 'a later first half');
    second.child.kill('SIGSTOP');
    const lost = await coordinator.waitFor(
      ({ event, reason }) => event === 'worker-lost' && /silent|ran out/.test(String(reason)),
      'the loss of the frozen worker',
    );
    expect(lost['leases']).not.toEqual([]);
    second.child.kill('SIGCONT');
    await expectFinished(coordinator);
    expect(await weightsOf(run)).toEqual(reference);
  });

  test('the coordinator killed and resumed', async () => {
    const run = await runs.create('coordinator-killed');
    const coordinator = startCoordinator(run);
    const workers = startWorkers(run, 2);
    await coordinator.waitFor(update('discriminator', 5), 'the sixth iteration');
    coordinator.child.kill('SIGKILL');
    await coordinator.exit;
    const successor = startCoordinator(run, '--resume');
    const resumed = await successor.waitFor(({ event }) => event === 'resumed', 'the resumption');
    expect(resumed['iteration']).toBe(4);
    await expectFinished(successor);
    for (const worker of workers) expect(await worker.exit).toEqual(finished);
    expect(await weightsOf(run)).toEqual(reference);
  });

  test('the coordinator stopped by SIGTERM between the halves and resumed', async () => {
    const run = await runs.create('coordinator-stopped');
    const coordinator = startCoordinator(run);
    startWorkers(run, 2);
    await coordinator.waitFor(update('discriminator', 5), 'a first half');
    coordinator.child.kill('SIGTERM');
    expect(await coordinator.exit).toEqual({ code: 143, signal: null });
    const successor = startCoordinator(run, '--resume');
    const resumed = await successor.waitFor(({ event }) => event === 'resumed', 'the resumption');
    expect(resumed['iteration']).toBeGreaterThanOrEqual(5);
    await expectFinished(successor);
    expect(await weightsOf(run)).toEqual(reference);
  });

  test('the coordinator frozen until its successor has taken over, then woken', async () => {
    const run = await runs.create('coordinator-frozen');
    const coordinator = startCoordinator(run, ...alert);
    startWorkers(run, 2, ...alert);
    await coordinator.waitFor(update('discriminator', 4), 'the fifth iteration');
    coordinator.child.kill('SIGSTOP');
    const successor = startCoordinator(run, '--resume', ...alert);
    await successor.waitFor(update('generator', 6), 'the successor’s work');
    const before = await run.store.list('checkpoints/');
    coordinator.child.kill('SIGCONT');
    expect(await coordinator.exit).toEqual({ code: 1, signal: null });
    expect(coordinator.errors.join('\n')).toMatch(/a newer coordinator \(term 2\) has taken over/);
    await expectFinished(successor);
    const written = (await run.store.list('checkpoints/')).filter(({ key }) => !before.some((old) => old.key === key));
    expect(written.filter(({ key }) => key.includes('-0001/'))).toEqual([]);
    expect(await weightsOf(run)).toEqual(reference);
  });
});
