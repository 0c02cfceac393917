import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createLogger, FourfoldError, openStore, parseRunConfig, type ObjectStore } from '@fourfold/common';
import { cropPicture, cropToMultiple, decodePicture, readPicture } from '@fourfold/data-loader';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ComputeMethods } from './compute-thread.js';
import { runEvaluation } from './evaluation-job.js';
import { evaluatePicture } from './evaluation.js';
import { createPictureWriter } from './picture-writer.js';
import { shownPicture } from './shown-pictures.js';
import type { Remote } from './thread-rpc.js';

/*
 * An evaluation whose generator is perfect: it gives the original back.
 */

const heldOut = fileURLToPath(new URL('../../../examples/photographs/held-out/', import.meta.url));
const log = createLogger('test');
log.level = 'silent';
const never = new AbortController().signal;

let folder: string;
let images: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-evaluation-'));
  images = join(folder, 'images');
  store = openStore(join(folder, 'run'));
  for (const name of ['coffee.png', 'raccoon.jpg']) await cp(join(heldOut, name), join(images, name));
  await cp(join(heldOut, 'coffee.png'), join(images, 'a <b>&.png'));
  await cp(join(heldOut, 'coffee.png'), join(images, '.hidden.png'));
});
afterEach(() => rm(folder, { recursive: true }));

const perfect = {
  startEvaluation: async () => undefined,
  endEvaluation: async () => undefined,
  async evaluatePicture(_name: string, file: Uint8Array, show: { references: boolean } | false) {
    let shown;
    const scores = await evaluatePicture(await decodePicture(file), (lr, hr) => {
      if (show) shown = shownPicture({ lr, hr, sr: hr }, show.references);
      return hr;
    });
    return { ...scores, bicubic: { psnr: 24, ssim: 0.5 }, shown };
  },
} as unknown as Remote<ComputeMethods>;

function evaluate(pictures: number, iteration: number, writer = createPictureWriter(store, log), place = images) {
  const config = parseRunConfig(
    {
      name: 'evaluation',
      dataset: 'd',
      phases: [{ kind: 'mse', iterations: 1, learningRate: 1e-4 }],
      validation: { images: place, pictures },
    },
    'test',
  );
  const nothing = async () => undefined;
  const parameters = { fetch: nothing, fetchEvaluated: nothing, close: nothing };
  const parts = { config, compute: perfect, parameters, writer, vectorLength: 1 };
  return runEvaluation(parts, { iteration, generatorVersion: iteration }, never);
}

const written = async () => (await store.list('')).map(({ key }) => key);

test('all pictures are measured, the first ones written, losslessly', async () => {
  const scores = await evaluate(2, 7);
  expect(scores.map(({ picture }) => picture)).toEqual(['a <b>&.png', 'coffee.png', 'raccoon.jpg']);
  expect(scores[2]).toEqual({
    picture: 'raccoon.jpg',
    psnr: 100,
    ssim: expect.closeTo(1, 9) as number,
    bicubicPsnr: 24,
    bicubicSsim: 0.5,
  });
  const keys = await written();
  expect(keys).toHaveLength(6);
  expect(keys.slice(3)).toEqual(
    ['00000007', 'bicubic', 'original'].map((view) => `validation/coffee.png/${view}.webp`),
  );

  const original = cropToMultiple(await readPicture(openStore(images), 'coffee.png'), 4);
  const stored = await readPicture(store, 'validation/coffee.png/original.webp');
  const region = {
    left: (original.width - stored.width) / 2,
    top: (original.height - stored.height) / 2,
    width: stored.width,
    height: stored.height,
  };
  expect(Math.max(stored.width, stored.height)).toBe(512);
  expect(Buffer.from(stored.data).equals(cropPicture(original, region).data)).toBe(true);
});

test('of a data set the photographs alone are measured, from a folder as from an archive', async () => {
  const set = join(folder, 'Set5');
  for (const part of ['original', 'GTmod12', 'LRbicx4']) {
    await mkdir(join(set, part), { recursive: true });
    for (const name of ['baby.png', 'bird.png']) await cp(join(heldOut, 'coffee.png'), join(set, part, name));
  }
  await promisify(execFile)('tar', ['-C', folder, '-cf', join(folder, 'photos.tar'), 'Set5']);
  for (const place of [set, join(folder, 'photos.tar')]) {
    const scores = await evaluate(0, 1, undefined, place);
    expect(scores.map(({ picture }) => picture)).toEqual(['original/baby.png', 'original/bird.png']);
  }
});

test('references are written once by a worker, and with 0 pictures nothing is', async () => {
  await evaluate(0, 1);
  expect(await written()).toEqual([]);
  const writer = createPictureWriter(store, log);
  await evaluate(1, 1, writer);
  for (const key of await written()) await store.remove(key);
  await evaluate(1, 2, writer);
  expect((await written()).map((key) => key.split('/')[2])).toEqual(['00000002.webp']);
});

test('a picture that cannot be written or read fails the evaluation with the store’s reason, or its own name', async () => {
  const full = new FourfoldError('no-space', 'the disk is full');
  await expect(evaluate(1, 1, createPictureWriter({ put: () => Promise.reject(full) }, log))).rejects.toBe(full);
  await writeFile(join(images, 'broken.png'), 'no picture');
  await expect(evaluate(1, 1)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(/\/images\/broken\.png: it is none of JPEG/) as string,
  });
});

test('a picture that cannot be encoded is left out, and the scores count', async () => {
  const writer = createPictureWriter(store, log);
  const bad = { data: new Uint8Array(3), width: 9, height: 9 };
  await writer.write('a.png', 1, { sr: bad });
  expect(await written()).toEqual([]);
});
