import { frameBytes } from '@fourfold/rpc';
import { freePorts } from '@fourfold/local-servers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { anyFrozenAt, freezeAt, thaw } from './support/freeze/freeze.js';
import { otherMachine } from './support/other-machine.js';
import { expectFinished, killAll, startFourfold, type LogEvent, type Process } from './support/process.js';
import { environmentOf, makeTestCertificates } from './support/secured.js';
import { startStallingProxy } from './support/stalling-proxy.js';
import {
  expectSameEnd,
  onceJoined,
  prepareSmallRuns,
  startCoordinator,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';
import { alert } from './support/timing.js';

/*
 * The sum along a chain of workers gives the same weights as the star, to the last bit, whatever happens to a hop.
 */

/** The discriminator's sum has several frames. */
const wide = ['--set', 'discriminator.dense=1024'];
const byStream = (route: string, more = '') => `exchange: { transport: stream, route: ${route}${more} }\n`;

let runs: SmallRuns;
let star: Promise<Weights> | undefined;
/** The weights of a star with one worker, in float32. */
const starWeights = () =>
  (star ??= runs.create('star', byStream('star')).then(async (run) => {
    const coordinator = startCoordinator(run, ...wide);
    startWorkers(run, 1, ...wide);
    await expectFinished(coordinator);
    return weightsOf(run);
  }));
beforeAll(async () => {
  runs = await prepareSmallRuns();
});
afterAll(async () => {
  await killAll();
  await runs.remove();
});

/** Whether a sum broke off that this worker had a part in. */
const isBroken = ({ event, hops }: LogEvent, worker: unknown): boolean =>
  event === 'chain-broken' && (hops as unknown[]).includes(worker);

/** The hops of each sum. */
const routesOf = ({ events }: Process): number[][] =>
  events.flatMap((event) => (event.event === 'chain' ? [event['hops'] as number[]] : []));

/** Of a worker's number, whatever it is. */
const anyWorker = Array.from({ length: 20 }, (_, number) => number);

test('five replicas on three workers, which are killed or frozen as first, middle and last hop while pieces flow', async () => {
  const reference = starWeights();
  const chain = await runs.create('chain', byStream('chain'));
  const coordinator = startCoordinator(
    chain,
    ...[...wide, ...alert],
    ...[...onceJoined(3), '--set', 'workers.minimumToContinue=3'],
  );
  const inTheMiddle = (hop: number) => ({ event: 'sum', hop, begin: frameBytes });
  const freezes = freezeAt(runs.folder, inTheMiddle(0), inTheMiddle(1), inTheMiddle(2));
  const start = () => startPart('worker', chain, freezes, ...wide, ...alert);
  const workers = [start(), start(), start()];
  const frozen: Process[] = [];
  for (const hop of [0, 1, 2]) {
    const worker = await anyFrozenAt(workers, inTheMiddle(hop));
    const { worker: number } = worker.events.findLast(({ event }) => event === 'joined') ?? {};
    const broken = () => coordinator.events.filter((event) => isBroken(event, number)).length;
    const before = broken();
    if (hop === 1) frozen.push(worker);
    else worker.child.kill('SIGKILL');
    await expect
      .poll(broken, { message: `the sum that broke off at worker ${String(number)}` })
      .toBeGreaterThan(before);
    workers.push(start());
  }
  frozen.forEach(thaw);
  await expectSameEnd(chain, coordinator, await reference);
  // Sums that did not break off passed all workers, and nothing was left to the star.
  expect(routesOf(coordinator).filter((hops) => new Set(hops).size === 3).length).toBeGreaterThan(3);
});

test('a coordinator that is killed between the first range of an update and its commit: the next one ends with the same weights', async () => {
  const reference = starWeights();
  const run = await runs.create('killed', byStream('chain'));
  // Its update has begun, and the worker has its first parameters.
  const inTheMiddle = { event: 'summed', network: 'discriminator', end: 2 * frameBytes };
  const first = startPart('coordinator', run, freezeAt(runs.folder, inTheMiddle), ...[...wide, ...onceJoined(2)]);
  startWorkers(run, 2, ...wide);
  await anyFrozenAt([first], inTheMiddle);
  expect(first.events.filter(({ event }) => event === 'chain').at(-1)).toMatchObject({ network: 'discriminator' });
  first.child.kill('SIGKILL');
  const second = startCoordinator(run, '--resume', ...wide, ...onceJoined(2));
  await expectSameEnd(run, second, await reference);
  expect(routesOf(second).length).toBeGreaterThan(3);
});

test('with mutual TLS, sums in bfloat16, factors, and parameters in 8 bits, of which first, middle and last hop are killed, frozen and cut off as they arrive: the star’s weights, and nobody else is blamed', async () => {
  const formats = ', gradients: bf16, sums: bf16, parameters: int8, denseGradient: factors';
  const star = await runs.create('formats-star', byStream('star', formats));
  const alone = startCoordinator(star, ...wide);
  startWorkers(star, 1, ...wide);
  await expectFinished(alone);
  // Where this test may make another host of the coordinator's, the run chooses the chain by itself.
  const mayBeApart = process.platform === 'linux' && process.getuid?.() === 0;
  const chain = await runs.create('formats-chain', byStream(mayBeApart ? 'auto' : 'chain', formats));
  const three = [...onceJoined(3), '--set', 'workers.minimumToContinue=3'];
  await makeTestCertificates(runs.folder);
  const settings = [...wide, '--set', 'timing.silenceMs=10000'];
  const coordinator = startFourfold(
    ['coordinator', ...chain.configArgs, ...settings, ...three],
    mayBeApart ? otherMachine(runs.folder) : [],
    environmentOf(runs.folder, 'coordinator'),
  );
  const arriving = (version: number, from: unknown) => ({
    ...{ event: 'parameters', network: 'discriminator', version },
    ...{ from, end: frameBytes },
  });
  // By their numbers, in which they follow each other: first 1, 2, 3; then 2, 3, 4; then 2, 4, 5.
  const [first, middle, last] = [arriving(2, 'coordinator'), arriving(3, 2), arriving(4, 4)];
  const asWorker = { ...environmentOf(runs.folder, 'worker'), ...freezeAt(runs.folder, first, middle, last) };
  const workers: Process[] = [];
  const start = (...args: string[]) => void workers.push(startPart('worker', chain, asWorker, ...settings, ...args));
  for (let worker = 0; worker < 3; worker++) start();
  (await anyFrozenAt(workers, first)).child.kill('SIGKILL');
  const [port] = await freePorts(1);
  const link = await startStallingProxy(port);
  start('--listen', `127.0.0.1:${port}`, '--advertise', link.address);
  const frozen = await anyFrozenAt(workers, middle);
  start();
  (await anyFrozenAt(workers, last)).child.kill('SIGKILL');
  link.cut();
  thaw(frozen);
  const isCutOff = ({ event, silent, worker }: LogEvent) =>
    (event === 'hop-silent' && silent === 4) || (event === 'pull-failed' && worker === 4);
  await coordinator.waitFor(isCutOff, 'the fourth worker, whose link is cut');
  link.release();
  await expectSameEnd(chain, coordinator, await weightsOf(star));
  link.close();
  expect(routesOf(coordinator).filter((hops) => new Set(hops).size === 3).length).toBeGreaterThan(3);
  const silent = coordinator.events.flatMap(({ event, silent }) => (event === 'hop-silent' ? [silent] : []));
  expect(silent).toContain(3);
  expect(silent.filter((worker) => ![1, 3, 4, 5].includes(worker as number))).toEqual([]);
  const events = workers.flatMap((worker) => worker.events);
  // Workers behind those hops asked the coordinator; all else came from the worker before.
  expect(events.filter(({ event }) => event === 'parameters-asked').length).toBeGreaterThan(0);
  expect(
    events.filter(({ event, from }) => event === 'parameters' && anyWorker.includes(from as number)).length,
  ).toBeGreaterThan(9);
});
