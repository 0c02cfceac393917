import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, FourfoldError } from '@fourfold/common';
import { openStore, validationKey, type ObjectStore, toEvaluation, type Evaluation } from '@fourfold/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHousekeeping } from '../life/housekeeping.js';
import { createValidationPictures, superfluousViews, viewsOf } from './validation-pictures.js';

const names = ['a.png', 'b c.png', 'd.png'];
const evaluation = (iteration: number, psnr: number): Evaluation =>
  toEvaluation(iteration, names.map((picture) => ({ picture, psnr, ssim: 0.5 }))); // prettier-ignore
const keysOf = (picture: string, ...iterations: number[]) => [
  validationKey(picture, 'original'),
  validationKey(picture, 'bicubic'),
  ...iterations.map((iteration) => validationKey(picture, iteration)),
];

describe('what is shown', () => {
  const evaluations = [evaluation(10, 20), evaluation(20, 21)];

  test('the first pictures, with the scores of the evaluations whose SR exists', () => {
    const keys = new Set([...keysOf('a.png', 10, 20), ...keysOf('b c.png', 20), ...keysOf('d.png', 20)]);
    expect(viewsOf(keys, evaluations, 2)).toEqual([
      {
        name: 'a.png',
        original: 'validation/a.png/original.webp',
        bicubic: 'validation/a.png/bicubic.webp',
        results: [
          { iteration: 10, psnr: 20, ssim: 0.5, key: 'validation/a.png/00000010.webp' },
          { iteration: 20, psnr: 21, ssim: 0.5, key: 'validation/a.png/00000020.webp' },
        ],
      },
      expect.objectContaining({ name: 'b c.png', results: [expect.objectContaining({ iteration: 20 })] }),
    ]);
  });

  test('nothing that this run has not evaluated, and nothing without SR', () => {
    expect(viewsOf(new Set(keysOf('a.png', 30)), evaluations, 4)).toEqual([]);
    expect(viewsOf(new Set(keysOf('other.png', 20)), evaluations, 4)).toEqual([]);
    expect(viewsOf(new Set(keysOf('a.png', 10)), [], 4)).toEqual([]);
  });
});

test('kept: the newest five evaluations, the best, references, and what is newer', () => {
  const evaluations = [10, 20, 30, 40, 50, 60, 70, 80].map((iteration) =>
    evaluation(iteration, iteration === 20 ? 30 : 25),
  );
  const keys = keysOf('a.png', 10, 20, 30, 40, 50, 60, 70, 80, 90);
  const superfluous = superfluousViews(keys, evaluations);
  expect(superfluous).toEqual([validationKey('a.png', 10), validationKey('a.png', 30)]);
  const byLpips = evaluations.map((one) => ({ ...one, lpips: one.iteration === 30 ? 0.1 : 0.2 }));
  expect(superfluousViews(keys, byLpips, 'lpips')).toEqual([validationKey('a.png', 10), validationKey('a.png', 20)]);
  expect(superfluousViews(keys, [])).toEqual([]);
  // Pictures that no evaluation has named are not the run's.
  expect(superfluousViews(keysOf('holiday.png', 10), evaluations)).toEqual([]);
});

describe('in a store', () => {
  const log = createLogger('test');
  log.level = 'silent';
  let folder: string;
  let store: ObjectStore;
  let evaluations: Evaluation[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-pictures-'));
    store = openStore(folder);
    evaluations = [1, 2, 3, 4, 5, 6].map((iteration) => evaluation(iteration, 20 + iteration));
    await store.put('terms/00000001.json', '{}');
    for (const key of keysOf('a.png', 1, 2, 3, 4, 5, 6)) await store.put(key, `bytes of ${key}`);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const look = async (mayRemove: () => Promise<void>) => {
    const pictures = createValidationPictures(store, 4, () => evaluations, mayRemove, createHousekeeping(log));
    pictures.refresh();
    await pictures.idle();
    return pictures;
  };
  const stored = async () => (await store.list('validation/')).map(({ key }) => key);

  test('only what is shown can be read, and old SR goes', async () => {
    const pictures = await look(async () => undefined);
    expect(pictures.views()[0].results.map(({ iteration }) => iteration)).toEqual([2, 3, 4, 5, 6]);
    const key = validationKey('a.png', 6);
    expect(String(await pictures.read(key))).toBe(`bytes of ${key}`);
    for (const other of ['terms/00000001.json', 'validation/../terms/00000001.json', validationKey('a.png', 1), '']) {
      expect(pictures.read(other)).toBeUndefined();
    }
    expect(await stored()).toEqual(keysOf('a.png', 2, 3, 4, 5, 6).sort());
  });

  test('a superseded coordinator removes nothing', async () => {
    await look(() => Promise.reject(new FourfoldError('conflict', 'a newer coordinator has taken over')));
    expect(await stored()).toContain(validationKey('a.png', 1));
  });

  test('a later evaluation adds pictures', async () => {
    const pictures = await look(async () => undefined);
    evaluations.push(evaluation(7, 27));
    await store.put(validationKey('a.png', 7), 'new');
    pictures.refresh();
    await pictures.idle();
    expect(pictures.views()[0].results.at(-1)).toMatchObject({ iteration: 7, psnr: 27 });
  });
});
