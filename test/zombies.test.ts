import { setTimeout as delay } from 'node:timers/promises';
import { startDelayingProxy } from '@fourfold/local-servers';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectFinished, killAll } from './support/process.js';
import { prepareSmallRuns, startCoordinator, startWorkers, weightsOf, type SmallRuns } from './support/small-run.js';

/*
 * A worker whose network froze comes back with a gradient that another one has computed meanwhile.
 */

/** A lease takes half of this to the worker, and its answer as long. */
const roundTripMs = 1_000;
/** Long enough for the run to still go on when the zombie comes back. */
const length = ['--set', 'phases.1.iterations=12'];
/**
 * Parameters do not cross the frozen network. The lease runs out, twice this after its grant, long before any worker counts as
 * silent.
 */
const settings = ['exchange.transport=shared-memory', 'timing.leaseMs=3000', 'timing.silenceMs=60000'].flatMap(
  (set) => ['--set', set],
);

let runs: SmallRuns;
let reference: Awaited<ReturnType<typeof weightsOf>>;

beforeAll(async () => {
  runs = await prepareSmallRuns();
  const run = await runs.create('alone');
  const coordinator = startCoordinator(run, ...length);
  startWorkers(run, 1, ...length);
  await expectFinished(coordinator);
  reference = await weightsOf(run);
});
afterEach(killAll);
afterAll(() => runs.remove());

test('a gradient that comes past its lease is refused and counted; its worker goes on as a new one', async () => {
  const run = await runs.create('zombie');
  const coordinator = startCoordinator(run, '--http', '127.0.0.1:0', ...length, ...settings);
  const { address } = await coordinator.waitFor(({ event }) => event === 'listening', 'listening');
  const proxy = await startDelayingProxy(String(address), { roundTripMs });
  const [zombie] = startWorkers(run, 1, '--coordinator', proxy.address, ...length, ...settings);
  await coordinator.waitFor(({ event }) => event === 'update', 'the first update');
  const { worker, task, token } = await coordinator.waitFor(
    (line) => line.event === 'lease' && line['task'] === 'generator 1.0',
    'a lease',
  );
  // The lease has reached the worker; its answer cannot have reached the coordinator.
  await delay(roundTripMs * 0.6);
  proxy.pause();
  const lost = await coordinator.waitFor(
    (line) => line.event === 'worker-lost' && line['worker'] === worker,
    'the loss of its seat',
  );
  expect(lost['reason']).toBe(`its lease of ${String(task)} ran out`);
  const [other] = startWorkers(run, 1, ...length, ...settings);
  await coordinator.waitFor(
    (line) => line.event === 'gradient' && line['task'] === task,
    'the same gradient of another worker',
  );
  proxy.setDelay(0);
  proxy.resume();

  await coordinator.waitFor(
    (line) => line.event === 'refused' && line['worker'] === worker && line['token'] === token,
    'the refusal',
  );
  const all = [zombie, other];
  // The run does not end before its count is read.
  for (const { child } of all) child.kill('SIGSTOP');
  const { address: http } = await coordinator.waitFor(({ event }) => event === 'http', 'its HTTP server');
  const metrics = await (await fetch(`http://${String(http)}/metrics`)).text();
  expect(Number(/^fourfold_results_refused_total.* (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
  for (const { child } of all) child.kill('SIGCONT');
  await expectFinished(coordinator);
  for (const part of all) await expectFinished(part);
  const taken = coordinator.events.filter((line) => line.event === 'gradient' && line['task'] === task);
  expect(taken.map((line) => line['worker'])).not.toContain(worker);
  expect(await weightsOf(run)).toEqual(reference);
  await proxy.close();
});
