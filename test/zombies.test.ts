import { startDelayingProxy } from '@fourfold/local-servers';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { freezeAt, frozenAt, hasFields, thaw } from './support/freeze/freeze.js';
import { expectFinished, killAll } from './support/process.js';
import {
  prepareSmallRuns,
  referenceWeights,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';

/*
 * A worker whose network froze comes back with a gradient that another one has computed meanwhile.
 */

/**
 * Parameters do not cross the frozen network. The lease runs out, twice this after its grant, long before any worker counts as
 * silent.
 */
const settings = ['exchange.transport=shared-memory', 'timing.leaseMs=3000', 'timing.silenceMs=120000'].flatMap(
  (set) => ['--set', set],
);

let runs: SmallRuns;
let reference: Weights;

beforeAll(async () => {
  runs = await prepareSmallRuns();
  reference = await referenceWeights();
});
afterEach(killAll);
afterAll(() => runs.remove());

test('a gradient that comes past its lease is refused and counted; its worker goes on as a new one', async () => {
  const run = await runs.create('zombie');
  const task = 'generator 1.0';
  const [taken, refused] = [{ event: 'gradient', task }, { event: 'refused' }];
  const freezes = freezeAt(runs.folder, taken, refused);
  const coordinator = startPart('coordinator', run, freezes, '--http', '127.0.0.1:0', ...settings);
  const { address } = await coordinator.waitFor(({ event }) => event === 'listening', 'listening');
  const proxy = await startDelayingProxy(String(address));
  const lease = { event: 'lease', network: 'GENERATOR', iteration: 1, replica: 0 };
  const zombie = startPart('worker', run, freezeAt(runs.folder, lease), '--coordinator', proxy.address, ...settings);
  const { token } = await frozenAt(zombie, lease);
  // Its answer does not reach the coordinator.
  proxy.pause();
  thaw(zombie);
  await zombie.waitFor((line) => line.event === 'answered' && line['token'] === token, 'its answer');
  const { worker } = await coordinator.waitFor((line) => line.event === 'lease' && line['task'] === task, 'the lease');
  const lost = await coordinator.waitFor(
    (line) => line.event === 'worker-lost' && line['worker'] === worker,
    'the loss of its seat',
  );
  expect(lost['reason']).toBe(`its lease of ${task} ran out`);
  const [other] = startWorkers(run, 1, ...settings);
  // Another worker's, of the same task.
  await frozenAt(coordinator, taken);
  proxy.resume();
  thaw(coordinator);

  expect(await frozenAt(coordinator, refused)).toMatchObject({ worker });
  const all = [zombie, other];
  // The run does not end before its count is read.
  for (const { child } of all) child.kill('SIGSTOP');
  thaw(coordinator);
  const { address: http } = await coordinator.waitFor(({ event }) => event === 'http', 'its HTTP server');
  const metrics = await (await fetch(`http://${String(http)}/metrics`)).text();
  expect(Number(/^fourfold_results_refused_total.* (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
  all.forEach(thaw);
  await expectFinished(coordinator);
  for (const part of all) await expectFinished(part);
  const gradients = coordinator.events.filter(hasFields(taken));
  expect(gradients.map((line) => line['worker'])).not.toContain(worker);
  expect(await weightsOf(run)).toEqual(reference);
  await proxy.close();
});
