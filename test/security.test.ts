import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newestTermNumber } from '@fourfold/store';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectFinished, finished, killAll, startFourfold, type Process } from './support/process.js';
import { throwNoise } from './support/noise.js';
import { environmentOf, joinToken, makeTestCertificates } from './support/secured.js';
import {
  expectSameEnd,
  onceJoined,
  prepareSmallRuns,
  referenceWeights,
  startPart,
  weightsOf,
  type SmallRun,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';

/*
 * A run with certificates and a join token: the same weights, strangers cannot disturb it, and its secrets are not leaked.
 */

/** Streams, so that gradients and parameters cross the ports that are under test. */
const settings = ['--set', 'exchange.transport=grpc'];

let runs: SmallRuns;
let reference: Weights;

beforeAll(async () => {
  runs = await prepareSmallRuns();
  await makeTestCertificates(runs.folder);
  await makeTestCertificates(runs.folder, 'theirs');
  // Without certificates.
  reference = await referenceWeights();
});
afterEach(killAll);
afterAll(() => runs.remove());

const as = (name: string, authority?: string) => environmentOf(runs.folder, name, authority);
const secured = (role: string, run: SmallRun) => startPart(role, run, as(role), ...settings);
const listening = async (process: Process, event: string) =>
  String((await process.waitFor((line) => line.event === event, event))['address']);
const without = (variable: string, environment: Record<string, string>) =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => name !== variable));

/** What the worker says, and what the coordinator logs if it hears of the worker at all. */
const strangers: [string, () => Record<string, string>, RegExp, RegExp][] = [
  [
    'without a certificate',
    () => ({ FOURFOLD_JOIN_TOKEN: joinToken }),
    /requires TLS with a certificate, and this process has none: set FOURFOLD_TLS_CA/,
    /the TLS handshake failed/,
  ],
  [
    'with a certificate of another authority',
    () => as('worker', 'theirs'),
    /shows a certificate that the authority in FOURFOLD_TLS_CA does not vouch for/,
    /the TLS handshake failed/,
  ],
  [
    'with another authority’s certificate that trusts ours',
    () => ({ ...as('worker', 'theirs'), FOURFOLD_TLS_CA: as('worker').FOURFOLD_TLS_CA }),
    /refuses this process’s certificate/,
    /the caller’s certificate is not trusted: UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
  ],
  [
    'with the certificate of a coordinator',
    () => as('coordinator'),
    /this is for the role worker, the certificate is for coordinator/,
    /this is for the role worker, the certificate is for coordinator/,
  ],
  [
    'with another token',
    () => ({ ...as('worker'), FOURFOLD_JOIN_TOKEN: `${joinToken}x` }),
    /the worker sent a different join token/,
    /the worker sent a different join token/,
  ],
  [
    'without a token',
    () => without('FOURFOLD_JOIN_TOKEN', as('worker')),
    /the worker sent no join token/,
    /the worker sent no join token/,
  ],
];

test('strangers are refused on one line; the weights are those of a run without certificates; secrets are in no log, object or argument', async () => {
  const run = await runs.create('secured');
  const coordinator = startPart('coordinator', run, as('coordinator'), ...settings, ...onceJoined(2));
  await listening(coordinator, 'listening');
  for (const [what, environment, says, logs] of strangers) {
    const worker = startPart('worker', run, environment(), ...settings);
    expect(await worker.exit, what).toEqual({ code: 1, signal: null });
    expect(worker.errors, what).toEqual([expect.stringMatching(says)]);
    expect(worker.errors[0]).toMatch(/^fourfold: /);
    await coordinator.waitFor(({ event, reason }) => event === 'caller-refused' && logs.test(String(reason)), what);
  }
  expect(coordinator.errors).toEqual([]);

  const workers = [secured('worker', run), secured('worker', run)];
  const processes = [coordinator, ...workers];
  const seen = processes.map(({ child }) => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8'));
  await expectSameEnd(run, coordinator, reference);
  for (const worker of workers) expect(await worker.exit).toEqual(finished);
  expect(coordinator.events.filter(({ event }) => event === 'worker-lost')).toEqual([]);
  seen.push(...processes.map(({ events, errors, output }) => JSON.stringify(events) + errors.join('\n') + output()));
  const store = join(runs.folder, 'store', 'secured');
  const files = readdirSync(store, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  seen.push(...files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')));
  expect(files.length).toBeGreaterThan(5);
  const secrets = ['coordinator', 'worker'].map(
    (name) => readFileSync(join(runs.folder, 'ours', `${name}.key`), 'utf8').split('\n')[1],
  );
  for (const secret of [joinToken, ...secrets]) expect(seen.filter((text) => text.includes(secret))).toEqual([]);
});

test('a part that others could reach needs TLS, or an explicit exception', async () => {
  const run = await runs.create('open-to-all');
  const reachable = ['--listen', '0.0.0.0:0'];
  for (const role of ['coordinator', 'worker']) {
    const part = startPart(role, run, {}, ...reachable);
    expect(await part.exit).toEqual({ code: 2, signal: null });
    expect(part.errors).toEqual([
      expect.stringMatching(
        /^fourfold: 0\.0\.0\.0:0 can be reached from other machines, and there is no TLS; set FOURFOLD_TLS_CA, .* or FOURFOLD_INSECURE=1/,
      ),
    ]);
  }
});

// With TLS, and at all the other ports of a cluster: test/strangers.test.ts.
test('nonsense at every port without TLS while a run goes on: the same weights', async () => {
  const run = await runs.create('noise');
  const coordinator = startPart('coordinator', run, {}, ...settings, ...onceJoined(2));
  const start = () => startPart('worker', run, {}, ...settings);
  const workers = [start()];
  const addresses = await Promise.all([listening(coordinator, 'listening'), listening(workers[0], 'started')]);
  const over = new AbortController();
  void coordinator.exit.then(() => over.abort());
  await throwNoise(addresses, { seconds: 0, least: 20, seed: 1 });
  // The run begins now, and the noise goes on until it ends.
  workers.push(start());
  await throwNoise(addresses, { seconds: 240, seed: 2, signal: over.signal });
  await expectSameEnd(run, coordinator, reference);
  for (const worker of workers) await expectFinished(worker);
  expect(coordinator.events.filter(({ event }) => event === 'worker-lost')).toEqual([]);
});

test('a local run has its own token, which only its parts know', async () => {
  const run = await runs.create('local');
  const train = startFourfold(['train', run.configPath, ...settings], [], { FOURFOLD_LOG: 'debug' });
  const children = () => {
    const { pid } = train.child;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  };
  const variable = /(?:^|\0)FOURFOLD_JOIN_TOKEN=([^\0]*)/;
  const tokenOf = (pid: string) => variable.exec(readFileSync(`/proc/${pid}/environ`, 'latin1'))?.[1];
  // A child that has just been forked still has its parent's environment.
  await expect.poll(() => children().filter(tokenOf).length).toBe(2);
  const [token, other] = children().map(tokenOf);
  expect(token).toMatch(/^[\w-]{32}$/);
  expect(other).toBe(token);
  // Its worker waits meanwhile, so that the run does.
  const worker = Number(
    children().find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0worker\0')),
  );
  process.kill(worker, 'SIGSTOP');
  await expect.poll(() => newestTermNumber(run.store)).toBe(1);
  const stranger = startPart('worker', run, {}, ...settings);
  expect(await stranger.exit).toEqual({ code: 1, signal: null });
  expect(stranger.errors).toEqual(['fourfold: the worker sent no join token']);
  process.kill(worker, 'SIGCONT');
  await expectFinished(train);
  expect(await weightsOf(run)).toEqual(reference);
  const log = readFileSync(join(runs.folder, 'store', 'local', 'runs', 'local', 'train.log'), 'utf8');
  expect(log.includes(token as string)).toBe(false);
});
