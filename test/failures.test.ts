import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { checkpointStore, listCheckpoints, verifyCheckpoint } from '@fourfold/store';
import {
  expectFailure,
  logOf,
  prepareLocalRuns,
  startTrain,
  type LocalRun,
  type LocalRuns,
} from './support/local-run.js';
import { expectFinished, killAll, startFourfold } from './support/process.js';

/*
 * A failure in a run is reported on one line that names the thing, and no existing data is lost.
 */

let runs: LocalRuns;
/** A run of 4 iterations, finished: with checkpoints of iterations 2 and 4. */
let base: LocalRun;
const older = '00000002-0001';
const newer = '00000004-0001';

beforeAll(async () => {
  runs = await prepareLocalRuns(4);
  base = await runs.create('base');
  const training = startTrain(base);
  await expectFinished(training);
  expect(await listCheckpoints(base.store)).toEqual([older, newer]);
});
afterEach(killAll);
afterAll(() => runs.remove());

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] ^= 1;
  await writeFile(path, bytes);
}

/** A copy of the finished run that has not recorded its end: it is resumed from its newest checkpoint. */
async function copyUnfinished(name: string): Promise<LocalRun> {
  const run = await runs.copy(base, name);
  await rm(join(run.folder, 'finished.json'));
  return run;
}

const checkpointFile = (run: LocalRun, name: string, file: string) => join(run.folder, 'checkpoints', name, file);

/** Every file of a run's checkpoints, with its size and time. */
async function contents(folder: string): Promise<string[]> {
  const entries = await readdir(join(folder, 'checkpoints'), { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Promise.all(
    paths.sort().map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return `${path} ${size} ${mtimeMs}`;
    }),
  );
}

test.each([
  ['replica=2', /--set replica=2: replica is not a key: the keys are name, seed/],
  ['dataset=/nowhere', /no dataset at file:.*nowhere/],
])('train with %s', async (setting, reason) => {
  await expectFailure(startTrain(base, '--set', setting), 2, reason);
});

test('an existing run is not started again', async () => {
  const before = await contents(base.folder);
  await expectFailure(startTrain(base), 2, /run local is finished, at iteration 4; .*--resume/);
  const longer = ['--set', 'phases.0.iterations=99'];
  await expectFailure(
    startTrain(base, ...longer),
    2,
    /run local already exists, up to checkpoint 00000004-0001.*--resume/,
  );
  expect(await contents(base.folder)).toEqual(before);
});

test('a shard with a flipped byte stops the run, which names it', async () => {
  const run = await runs.copy(base, 'damaged-shard');
  await rm(run.folder, { recursive: true });
  const [shard] = (await readdir(run.dataset)).filter((name) => name.endsWith('.tar'));
  await flipByte(join(run.dataset, shard));
  await expectFailure(startTrain(run), 2, new RegExp(`${shard.replace('.', '\\.')} is damaged`));
});

test('a shard that cannot be read: pauses, a fresh worker, then the end with the reason', async () => {
  const run = await runs.copy(base, 'unreadable-shard');
  await rm(run.folder, { recursive: true });
  const [shard] = (await readdir(run.dataset)).filter((name) => name.endsWith('.tar'));
  await rm(join(run.dataset, shard));
  const socket = createServer().listen(join(run.dataset, shard));
  onTestFinished(() => void socket.close());
  const reason = `${shard.replace('.', '\\.')} could not be read: it is not a regular file`;
  await expectFailure(startTrain(run), 1, new RegExp(reason));
  const log = await logOf(run);
  const processes = new Set(
    log.filter(({ role, event }) => role === 'worker' && event === 'started').map(({ pid }) => pid),
  );
  expect(processes.size).toBe(2);
  // At most five tries per process for each of two batches; without pauses there would be a thousand per second.
  expect(log.filter(({ event }) => event === 'rejected').length).toBeLessThanOrEqual(20);
  expect(log.find(({ event }) => event === 'run-fails')).toMatchObject({ code: 'unavailable' });
});

test('a damaged checkpoint is passed over for the whole one before it', async () => {
  const run = await copyUnfinished('damaged-newest');
  const expected = await readFile(checkpointFile(run, newer, 'generator.safetensors'));
  await flipByte(checkpointFile(run, newer, 'generator.safetensors'));
  const training = startTrain(run, '--resume');
  await expectFinished(training);
  const log = await logOf(run);
  expect(log.filter(({ event }) => event === 'checkpoint-damaged').map(({ checkpoint }) => checkpoint)).toEqual([
    newer,
  ]);
  expect(log.filter(({ event }) => event === 'resumed').at(-1)).toMatchObject({ checkpoint: older });
  const again = (await listCheckpoints(run.store)).at(-1) as string;
  expect(again).toMatch(/^00000004-000[2-9]$/);
  expect(await readFile(checkpointFile(run, again, 'generator.safetensors'))).toEqual(expected);
});

test.each<[string, (path: string) => Promise<void>, number, RegExp]>([
  ['with a flipped byte', flipByte, 1, /00000002-0001\/generator\.safetensors is damaged/],
  ['without one of its files', (path) => rm(path), 2, /00000002-0001\/generator\.safetensors does not exist/],
])(
  'the only checkpoint %s: the run does not start over, and nothing is removed',
  async (what, damage, code, reason) => {
    const run = await copyUnfinished(`only-checkpoint-${what.replaceAll(' ', '-')}`);
    await rm(join(run.folder, 'checkpoints', newer), { recursive: true });
    await damage(checkpointFile(run, older, 'generator.safetensors'));
    const before = await contents(run.folder);
    await expectFailure(startTrain(run, '--resume'), code, reason);
    expect(await contents(run.folder)).toEqual(before);
  },
);

test('a checkpoint of another shape', async () => {
  const run = await copyUnfinished('another-shape');
  const before = await contents(run.folder);
  await expectFailure(
    startTrain(run, '--resume', '--set', 'generator.channels=5'),
    2,
    /00000004-0001\/generator\.safetensors/,
  );
  expect(await contents(run.folder)).toEqual(before);
});

test.each([
  ['coordinator', 'dataset=s3://away/dataset'],
  ['worker', 'dataset=s3://away/dataset'],
  ['worker', 'store=s3://away/store'],
])('SIGTERM ends a %s that waits for a store, %s', async (role, setting) => {
  const run = await runs.create(`waits-${role}-${setting.split('=')[0]}`);
  const away = {
    FOURFOLD_S3_ENDPOINT: 'http://127.0.0.1:1',
    FOURFOLD_S3_ACCESS_KEY: 'a',
    FOURFOLD_S3_SECRET_KEY: 'b',
  };
  const part = startFourfold([role, '--config', run.configPath, '--set', setting], [], away);
  await part.waitFor(({ event }) => event === 'store-waiting', 'a report that it waits');
  part.child.kill('SIGTERM');
  expect(await part.exit).toEqual({ code: 143, signal: null });
});

test('a disk that is full: the earlier checkpoints stay whole', async () => {
  const run = await runs.copy(base, 'full-disk');
  const before = await contents(run.folder);
  // No file may grow beyond a limit between the log's size and that of a checkpoint's largest file.
  const logBytes = (await stat(join(run.folder, 'train.log'))).size;
  const largest = (await stat(checkpointFile(run, newer, 'discriminator-adam.safetensors'))).size;
  expect(largest).toBeGreaterThan(logBytes + 16_384);
  const limitKiB = Math.floor(largest / 1024);
  const more = ['--resume', '--set', 'phases.1.iterations=4'];
  const training = startFourfold(
    ['train', run.configPath, ...more],
    ['bash', '-c', `ulimit -f ${limitKiB}; exec "$@"`, '-'],
  );
  await expectFailure(
    training,
    1,
    /checkpoints\/0000000\d-000\d\/[a-z-]+\.safetensors could not be written: the disk is full.*; free some space$/,
  );
  expect(await contents(run.folder)).toEqual(before);
  for (const name of [older, newer]) await verifyCheckpoint(checkpointStore(run.store, name));
});
