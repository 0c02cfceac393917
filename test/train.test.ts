import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listCheckpoints } from '@fourfold/store';
import {
  frozenIn,
  logOf,
  prepareLocalRuns,
  startFreezing,
  startTrain,
  type LocalRun,
  type LocalRuns,
} from './support/local-run.js';
import { expectFinished, killAll, type Process } from './support/process.js';

/*
 * `fourfold train` as a supervisor: its parts are restarted when they die, and none outlives it. The tests are about one run, in order.
 */

const iterations = 24;
let runs: LocalRuns;
let reference: Buffer;
let run: LocalRun;
let training: Process;
/** The process id of the coordinator that is frozen. */
let coordinator: number;
let stoppedAt: number;

beforeAll(async () => {
  runs = await prepareLocalRuns(iterations);
  const undisturbed = await runs.create('undisturbed');
  await expectFinished(startTrain(undisturbed));
  reference = await weightsOf(undisturbed);
  run = await runs.create('disturbed');
});
afterAll(async () => {
  await killAll();
  await runs.remove();
});

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

test('a worker and the coordinator killed: both are restarted, and the run continues', async () => {
  const lease = { role: 'worker', event: 'lease', network: 'GENERATOR', iteration: 4 };
  training = startFreezing(run, [lease, update(8), update(12)]);
  for (const event of [lease, update(8)]) process.kill(await frozenIn(run, event), 'SIGKILL');
  coordinator = await frozenIn(run, update(12));
  expect(training.errors).toContain('worker: it was killed by SIGKILL; it is restarted');
  expect(training.errors).toContain('coordinator: it was killed by SIGKILL; it is restarted');
  expect(await pidsOf(run, 'worker')).toHaveLength(2);
  expect(await pidsOf(run, 'coordinator')).toHaveLength(2);
});

test('train itself killed: its parts notice and leave', async () => {
  training.child.kill('SIGKILL');
  await training.exit;
  process.kill(coordinator, 'SIGCONT');
  await expectNobodyLeft(run);
});

test('SIGTERM: a checkpoint, exit code 143, no process left', async () => {
  training = startFreezing(run, [update(18)], '--resume');
  coordinator = await frozenIn(run, update(18));
  training.child.kill('SIGTERM');
  // It has told its parts.
  await expect.poll(() => training.errors.join('\n')).toMatch(/^stopping: /m);
  process.kill(coordinator, 'SIGCONT');
  expect(await training.exit, training.errors.join('\n')).toEqual({ code: 143, signal: null });
  expect(training.errors.at(-1)).toBe('fourfold: stopped by SIGTERM');
  await expectNobodyLeft(run);
  stoppedAt = Number((await listCheckpoints(run.store)).at(-1)?.split('-')[0]);
  const done = (await logOf(run)).filter(({ event, network }) => event === 'update' && network === 'generator');
  expect(stoppedAt).toBe(Number(done.at(-1)?.['iteration']) + 1);

  const said = training.errors.join('\n');
  expect(said).toMatch(/^stopping: the coordinator writes a checkpoint/m);
  expect(said).toMatch(new RegExp(`^iteration ${stoppedAt} of ${iterations} is saved in file:.*/checkpoints/`, 'm'));
  expect(said).toMatch(/^resume with: fourfold train .* --resume\b/m);
  expect(said).not.toMatch(/lost|refused/);
});

test('--resume ends with the weights of a run to which nothing happened', async () => {
  const resumed = startTrain(run, '--resume');
  await expectFinished(resumed);
  const from = (await logOf(run)).findLast(({ event }) => event === 'resumed');
  expect(from?.['iteration']).toBe(stoppedAt);
  expect(resumed.output().trim()).toMatch(/\/checkpoints\/00000024-0004$/);
  expect((await weightsOf(run)).equals(reference)).toBe(true);
});
