import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkpointStore, listCheckpoints, readManifest, type Evaluation } from '@fourfold/store';
import { expectFinished, fourfold, killAll, photographs } from './support/process.js';
import {
  prepareSmallRuns,
  startCoordinator,
  startWorkers,
  type SmallRun,
  type SmallRuns,
} from './support/small-run.js';

/*
 * Every evaluated iteration has a checkpoint, so that the best can be kept, and the figures outlive the coordinator that asked
 * for them. The tests are about one run, in order.
 */

let runs: SmallRuns;
let run: SmallRun;
let highest: Evaluation;
let settings: string[];

beforeAll(async () => {
  runs = await prepareSmallRuns();
  const images = join(runs.folder, 'held-out');
  await mkdir(images);
  // Its evaluation takes longer than a kill.
  await sharp(join(photographs, 'train', 'chelsea.png'))
    .resize(225, 150)
    .toFile(join(images, 'chelsea.png'));
  const values = [`validation.images=${images}`, 'validation.every=2', 'checkpoints.every=100', 'checkpoints.keep=1'];
  settings = values.flatMap((value) => ['--set', value]);
  run = await runs.create('best');
});
afterAll(async () => {
  await killAll();
  await runs.remove();
});

/** After an mse phase of 3 iterations and a gan phase of 5. */
const evaluatedIterations = [2, 3, 4, 6, 8];

test('the coordinator killed when a checkpoint exists: the evaluation under way is repeated', async () => {
  const coordinator = startCoordinator(run, ...settings);
  const [worker] = startWorkers(run, 1, ...settings);
  await coordinator.waitFor(({ checkpoint }) => checkpoint === '00000004-0001', 'the checkpoint of 4 iterations');
  coordinator.child.kill('SIGKILL');
  await coordinator.exit;
  const successor = startCoordinator(run, '--resume', ...settings);
  await expectFinished(successor);
  await expectFinished(worker);
  const newest = (await listCheckpoints(run.store)).at(-1) as string;
  const { history, best } = await readManifest(checkpointStore(run.store, newest));
  expect(history.evaluations.map(({ iteration }) => iteration)).toEqual(evaluatedIterations);
  highest = history.evaluations.reduce((a, b) => (b.psnr > a.psnr ? b : a));
  expect(best).toEqual({ iteration: highest.iteration, psnr: highest.psnr });
});

test('the newest and the best stay, and the best is found by name', async () => {
  const { iteration, psnr } = highest;
  const iterations = (await listCheckpoints(run.store)).map((name) => Number(name.split('-')[0]));
  expect(iterations).toEqual([...new Set([iteration, 8])]);

  const { stdout } = await fourfold(['checkpoints', 'ls', run.store.url, '--json']);
  const { checkpoints } = JSON.parse(stdout) as { checkpoints: { iteration: number; best: boolean; psnr: number }[] };
  expect(checkpoints.filter(({ best }) => best)).toMatchObject([{ iteration, psnr }]);
  const place = join(runs.folder, 'pulled');
  const pulled = await fourfold(['checkpoints', 'pull', `${run.store.url}/best`, place, '--json']);
  expect(JSON.parse(pulled.stdout)).toMatchObject({ iteration });
});
