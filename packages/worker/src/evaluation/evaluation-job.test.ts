import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as otherWork } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createLogger, FourfoldError, parseRunConfig } from '@fourfold/common';
import { openStore, type ObjectStore } from '@fourfold/store';
import type { PictureScore__Output } from '@fourfold/rpc';
import { cropPicture, cropToMultiple, decodePicture, readPicture, lrAndHr, scoresAgainst } from '@fourfold/imaging';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { ComputeMethods, MeasuredPicture } from '../compute/compute-thread.js';
import { runEvaluation } from './evaluation-job.js';
import { createPictureWriter } from './picture-writer.js';
import { shownPicture } from './shown-pictures.js';
import type { Remote } from '../compute/thread-rpc.js';

/*
 * An evaluation whose generator is perfect: it returns the original.
 */

const heldOut = fileURLToPath(new URL('../../../../examples/photographs/held-out/', import.meta.url));
const log = createLogger('test');
log.level = 'silent';
const never = new AbortController().signal;

/** Small versions of them: a photograph's scores take longer than what is tested. */
let small: string;
beforeAll(async () => {
  small = await mkdtemp(join(tmpdir(), 'fourfold-evaluation-small-'));
  for (const name of ['coffee.png', 'raccoon.jpg'])
    await sharp(join(heldOut, name)).resize(96, 64).toFile(join(small, name));
});
afterAll(() => rm(small, { recursive: true }));

let folder: string;
let images: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-evaluation-'));
  images = join(folder, 'images');
  store = openStore(join(folder, 'run'));
  for (const name of ['coffee.png', 'raccoon.jpg']) await cp(join(small, name), join(images, name));
  await cp(join(small, 'coffee.png'), join(images, 'a <b>&.png'));
  await cp(join(small, 'coffee.png'), join(images, '.hidden.png'));
});
// A picture may still be on its way into it.
afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));

/** What the compute thread was asked for, and how many tiles a picture has. */
const asked: string[] = [];
let tiles = 1;
let leaseMs: number;
/** What this process knows about its pictures, and what it should find. */
let known: { sha256?: string } = {};
let expectedSha256: string;
let measuring: { tiles: number; measured: MeasuredPicture };
const perfect = {
  startEvaluation: async () => void asked.push('start'),
  endEvaluation: async () => void asked.push('end'),
  async startPicture(name: string, file: Uint8Array, show: { references: boolean } | false) {
    asked.push(name);
    const { lr, hr } = lrAndHr(await decodePicture(file));
    const shown = show ? shownPicture({ lr, hr, sr: hr }, show.references) : undefined;
    measuring = { tiles, measured: { ...scoresAgainst(hr, hr), bicubic, shown } };
  },
  async continuePicture() {
    await otherWork();
    return --measuring.tiles < 0 ? measuring.measured : undefined;
  },
} as unknown as Remote<ComputeMethods>;
const told: PictureScore__Output[][] = [];
let bicubic: MeasuredPicture['bicubic'];
beforeEach(() => {
  tiles = 1;
  bicubic = { psnr: 24, ssim: 0.5 };
  leaseMs = 60_000;
  expectedSha256 = '';
  asked.length = told.length = 0;
});

function evaluate(
  pictures: number,
  iteration: number,
  writer = createPictureWriter(store, log),
  place = images,
  measured: string[] = [],
  signal = never,
) {
  const config = parseRunConfig(
    {
      name: 'evaluation',
      dataset: 'd',
      phases: [{ kind: 'mse', iterations: 1, learningRate: 1e-4 }],
      validation: { images: place, pictures },
      timing: { heartbeatMs: 10, leaseMs },
    },
    'test',
  );
  const nothing = async () => undefined;
  const parameters = { fetch: nothing, fetchEvaluated: nothing, close: nothing };
  const onProgress = (scores: PictureScore__Output[]) => told.push(scores);
  known = {};
  const parts = { config, compute: perfect, parameters, writer, pictures: known, vectorLength: 1, onProgress };
  const expected = { picturesSha256: expectedSha256, picturesMachine: 'the other machine' };
  return runEvaluation(parts, { iteration, generatorVersion: iteration, measured, ...expected }, signal);
}

const written = async () => (await store.list('')).map(({ key }) => key);

test('all pictures are measured, the first ones written, losslessly', async () => {
  // Larger than what is shown.
  await cp(join(heldOut, 'coffee.png'), join(images, 'coffee.png'));
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

test('only the photographs of a data set are measured, from a folder as from an archive', async () => {
  const set = join(folder, 'Set5');
  for (const part of ['original', 'GTmod12', 'LRbicx4']) {
    await mkdir(join(set, part), { recursive: true });
    for (const name of ['baby.png', 'bird.png']) await cp(join(small, 'coffee.png'), join(set, part, name));
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

test('each picture’s scores are reported at once, and a large picture’s progress now and then', async () => {
  tiles = 40;
  const begunMs = performance.now();
  const scores = await evaluate(0, 7);
  expect(told.flat()).toEqual(scores);
  const alone = told.filter((some) => some.length === 0).length;
  expect(alone).toBeLessThanOrEqual((performance.now() - begunMs) / 10);
  expect(told.filter((some) => some.length > 0)).toHaveLength(3);
  expect(asked).toEqual(['start', 'a <b>&.png', 'coffee.png', 'raccoon.jpg', 'end']);
});

test('tiles take longer than a heartbeat: each is reported', async () => {
  tiles = 3;
  vi.useFakeTimers({ toFake: ['performance'] });
  const slow = vi.spyOn(perfect, 'continuePicture').mockImplementation(async () => {
    vi.advanceTimersByTime(15);
    return --measuring.tiles < 0 ? measuring.measured : undefined;
  });
  try {
    await evaluate(0, 7);
  } finally {
    slow.mockRestore();
    vi.useRealTimers();
  }
  expect(told.map((some) => some.length)).toEqual([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
});

test('bicubic’s LPIPS is reported where it was measured', async () => {
  bicubic = { psnr: 24, ssim: 0.5, lpips: 0.375 };
  const scores = await evaluate(0, 7, undefined, images, ['a <b>&.png', 'coffee.png']);
  expect(scores).toMatchObject([{ picture: 'raccoon.jpg', bicubicPsnr: 24, bicubicLpips: 0.375 }]);
});

test('what another worker has measured is not measured again', async () => {
  const scores = await evaluate(2, 7, undefined, images, ['coffee.png', 'a <b>&.png']);
  expect(scores.map(({ picture }) => picture)).toEqual(['raccoon.jpg']);
  expect(await evaluate(2, 7, undefined, images, ['coffee.png', 'a <b>&.png', 'raccoon.jpg'])).toEqual([]);
});

test('a picture that cannot be read fails the evaluation, is named, and leaves nothing in the compute thread', async () => {
  await writeFile(join(images, 'broken.png'), 'no picture');
  await expect(evaluate(1, 1)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(/\/images\/broken\.png: its format is not one of JPEG/) as string,
  });
  expect(asked.at(-1)).toBe('end');
});

test('after a session’s end the compute thread is not touched: it may be at another evaluation', async () => {
  const over = new AbortController();
  tiles = Infinity;
  const evaluation = evaluate(0, 7, undefined, images, [], over.signal);
  await expect.poll(() => asked.length).toBe(2);
  over.abort();
  await expect(evaluation).rejects.toThrow('aborted');
  expect(asked).not.toContain('end');
});

test('pictures that cannot be written are left out, which is logged now and then; the scores count', async () => {
  const warn = vi.spyOn(log, 'warn');
  const full = new FourfoldError('no-space', 'the disk is full');
  const writer = createPictureWriter({ put: () => Promise.reject(full) }, log);
  expect(await evaluate(3, 1, writer)).toHaveLength(3);
  expect(warn.mock.calls).toHaveLength(4);
  for (const [i, times] of [1, 2, 4, 8].entries()) {
    expect(warn.mock.calls[i][0]).toMatchObject({ event: 'picture-left-out', reason: full.message, times });
  }
  // The references are tried again.
  expect(writer.wantsReferences('coffee.png')).toBe(true);
  vi.restoreAllMocks();
});

test('a store that accepts no picture holds up the scores for a lease’s time at most', async () => {
  leaseMs = 10;
  const hanging = { put: () => new Promise<void>(() => undefined) };
  expect(await evaluate(1, 1, createPictureWriter(hanging, log))).toHaveLength(3);
});

test('a picture that cannot be encoded is left out, and the scores count', async () => {
  const writer = createPictureWriter(store, log);
  const bad = { data: new Uint8Array(3), width: 9, height: 9 };
  await writer.write('a.png', 1, { sr: bad });
  expect(await written()).toEqual([]);
});

test('pictures that differ from those measured first are not measured: the error names both machines and the place', async () => {
  await evaluate(0, 1);
  const before = known.sha256 ?? '';
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  expectedSha256 = before;
  expect(await evaluate(0, 2)).toHaveLength(3);
  // Another picture of the same name.
  await cp(join(small, 'raccoon.jpg'), join(images, 'coffee.png'));
  asked.length = 0;
  const message = new RegExp(
    `images on machine [0-9a-f]{32} holds different pictures from those that machine the other machine measured`,
  );
  await expect(evaluate(0, 3)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(message) as string,
  });
  expect(asked).toEqual(['start', 'end']);
});
