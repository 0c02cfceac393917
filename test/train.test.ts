import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { listCheckpoints } from '@fourfold/store';
import { hasFields } from './support/freeze/freeze.js';
import {
  frozenIn,
  logged,
  logOf,
  prepareLocalRuns,
  startFreezing,
  startTrain,
  type LocalRun,
  type LocalRuns,
} from './support/local-run.js';
import { expectFinished, killAll } from './support/process.js';

/*
 * `fourfold train` as a supervisor: its parts are restarted when they die, and none outlives it.
 */

const iterations = 24;
let runs: LocalRuns;
let reference: Buffer;

beforeAll(async () => {
  runs = await prepareLocalRuns(iterations);
  const run = await runs.create('undisturbed');
  const training = startTrain(run);
  await expectFinished(training);
  reference = await weightsOf(run);
});
afterEach(killAll);
afterAll(() => runs.remove());

async function weightsOf(run: LocalRun): Promise<Buffer> {
  const newest = (await listCheckpoints(run.store)).at(-1) as string;
  expect(newest).toMatch(new RegExp(`^0*${iterations}-`));
  return readFile(join(run.folder, 'checkpoints', newest, 'generator.safetensors'));
}

const update = (iteration: number) => ({ role: 'coordinator', event: 'update', network: 'generator', iteration });

/** Process ids of a role's processes, in the order in which they were started. */
async function pidsOf(run: LocalRun, role: string): Promise<number[]> {
  const log = await logOf(run);
  return [...new Set(log.filter((event) => event['role'] === role).map(({ pid }) => Number(pid)))];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function expectNobodyLeft(run: LocalRun): Promise<void> {
  const pids = [...(await pidsOf(run, 'coordinator')), ...(await pidsOf(run, 'worker'))];
  expect(pids.length).toBeGreaterThanOrEqual(2);
  await expect.poll(() => pids.filter(isAlive)).toEqual([]);
}

test('SIGTERM: a checkpoint, exit code 143, no process left; --resume ends with the same weights', async () => {
  const run = await runs.create('stopped');
  const training = startFreezing(run, update(7));
  const coordinator = await frozenIn(run, update(7));
  training.child.kill('SIGTERM');
  // It has told its parts.
  await expect.poll(() => training.errors.join('\n')).toMatch(/^stopping: /m);
  process.kill(coordinator, 'SIGCONT');
  expect(await training.exit, training.errors.join('\n')).toEqual({ code: 143, signal: null });
  expect(training.errors.at(-1)).toBe('fourfold: stopped by SIGTERM');
  await expectNobodyLeft(run);
  const newest = Number((await listCheckpoints(run.store)).at(-1)?.split('-')[0]);
  const done = (await logOf(run)).filter(({ event, network }) => event === 'update' && network === 'generator');
  expect(newest).toBe(done.length);

  const said = training.errors.join('\n');
  expect(said).toMatch(/^stopping: the coordinator writes a checkpoint/m);
  expect(said).toMatch(new RegExp(`^iteration ${newest} of ${iterations} is saved in file:.*/checkpoints/`, 'm'));
  expect(said).toMatch(/^resume with: fourfold train .* --resume\b/m);
  expect(said).not.toMatch(/lost|refused/);

  const resumed = startTrain(run, '--resume');
  await expectFinished(resumed);
  const from = (await logOf(run)).find(({ event }) => event === 'resumed');
  expect(from?.['iteration']).toBe(newest);
  expect(resumed.output().trim()).toMatch(/\/checkpoints\/00000024-0002$/);
  expect((await weightsOf(run)).equals(reference)).toBe(true);
});

test('a worker and the coordinator killed: both are restarted, and the run ends as if nothing had happened', async () => {
  const run = await runs.create('killed');
  const lease = { role: 'worker', event: 'lease', network: 'GENERATOR', iteration: 4 };
  const training = startFreezing(run, lease, update(12));
  for (const event of [lease, update(12)]) process.kill(await frozenIn(run, event), 'SIGKILL');
  await expectFinished(training);
  expect(training.errors).toContain('worker: it was killed by SIGKILL; it is restarted');
  expect(training.errors).toContain('coordinator: it was killed by SIGKILL; it is restarted');
  expect(await pidsOf(run, 'worker')).toHaveLength(2);
  expect(await pidsOf(run, 'coordinator')).toHaveLength(2);
  await expectNobodyLeft(run);
  expect((await weightsOf(run)).equals(reference)).toBe(true);
});

test('train itself killed: its parts notice and leave, and the run can be resumed', async () => {
  const run = await runs.create('orphaned');
  const training = startTrain(run, '--workers', '2');
  await logged(run, hasFields(update(5)));
  training.child.kill('SIGKILL');
  await training.exit;
  await expectNobodyLeft(run);
  const resumed = startTrain(run, '--resume');
  await expectFinished(resumed);
  expect((await weightsOf(run)).equals(reference)).toBe(true);
});
