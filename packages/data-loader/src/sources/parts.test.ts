import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeError } from '@fourfold/common';
import { openStore } from '@fourfold/store';
import { downscale, type Picture } from '@fourfold/imaging';
import { prepare, prepareDefaults, type PrepareOptions } from '../prepare/prepare.js';
import type { Part } from './layouts.js';
import { pngOf, realPicture, realPictures, writeFolder, writeTar, writeZip, type Files } from './test-archives.js';

/*
 * `--part`: of a data set that comes in several parts, one is prepared, from folders as from archives.
 */

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-parts-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
  await rm(`${folder}-datasets`, { recursive: true, force: true });
});

let datasets = 0;
const prepared = (images: string, part?: PrepareOptions['part']) =>
  prepare({
    ...prepareDefaults,
    images,
    ...(part && { part }),
    store: openStore(join(`${folder}-datasets`, String(datasets++))),
    name: 'test',
  });
/** The one line that a user is shown. */
const refusal = (images: string, part: Part) => prepared(images, part).then(() => 'nothing', describeError);
const namesOf = (files: { file: string }[]) => files.map(({ file }) => file);

/** The same files as a folder, a zip, a tar and a tgz of this name. */
const places: [kind: string, write: (name: string, files: Files) => Promise<string>][] = [
  ['folder', (name, files) => writeFolder(join(folder, name), files)],
  ['zip', (name, files) => writeZip(join(folder, `${name}.zip`), files)],
  ['tar', (name, files) => writeTar(join(folder, `${name}.tar`), files)],
  ['tgz', (name, files) => writeTar(join(folder, `${name}.tar.gz`), files)],
];

const divided = ['train/0001', 'train/0002', 'valid/0801', 'valid/0802', 'valid/0803'].map((id) => id.split('/'));

/** DIV2K as its makers lay it out: the photographs of both parts, and LR pictures, which `change` may spoil. */
async function div2k(change: (id: string, lr: Picture) => Picture | Buffer): Promise<Files> {
  const files: Files = {};
  for (const [index, [part, id]] of divided.entries()) {
    const hr = await realPicture(index);
    const lr = change(id, downscale(hr, 0));
    files[`DIV2K_${part}_HR/${id}.png`] = await pngOf(hr);
    const encoded = Buffer.isBuffer(lr) ? lr : await pngOf(lr);
    files[`DIV2K_${part}_LR_bicubic/X4/${id}x4.png`] = encoded;
    // LR of other sizes and of unknown kernels are not pairs.
    files[`DIV2K_${part}_LR_bicubic/X2/${id}x2.png`] = encoded;
    files[`DIV2K_${part}_LR_unknown/X4/${id}x4.png`] = encoded;
  }
  return files;
}

const unchanged = (_id: string, lr: Picture) => lr;

/** LR pictures of the validation part that are not those of the photographs: another value, another size, no picture. */
function spoiled(id: string, lr: Picture): Picture | Buffer {
  if (id === '0801') lr.data[7] += lr.data[7] < 128 ? 5 : -5;
  if (id === '0802') return { data: lr.data.subarray(0, 3 * lr.width * (lr.height - 1)), ...sizeOf(lr, 1) };
  return id === '0803' ? Buffer.from('no picture') : lr;
}
const sizeOf = ({ width, height }: Picture, fewer: number) => ({ width, height: height - fewer });

describe.each(places)('DIV2K in a %s', (_kind, write) => {
  it('both parts, each with its pairs', async () => {
    const place = await write('DIV2K', await div2k(unchanged));
    const train = await prepared(place);
    expect(namesOf(train.taken)).toEqual(['DIV2K_train_HR/0001.png', 'DIV2K_train_HR/0002.png']);
    expect(train).toMatchObject({
      recognised: { set: 'DIV2K', part: 'train' },
      pairs: { equal: 2, different: [] },
    });
    expect((await prepared(place, 'train')).manifest).toEqual(train.manifest);

    const validation = await prepared(place, 'validation');
    expect(namesOf(validation.taken)).toEqual([801, 802, 803].map((id) => `DIV2K_valid_HR/0${id}.png`));
    expect(validation).toMatchObject({
      recognised: { set: 'DIV2K', part: 'validation' },
      pairs: { equal: 3, different: [] },
    });
    expect(validation.left).toContainEqual({ file: 'DIV2K_train_HR/0001.png', reason: 'of the train part' });
    const derived = validation.left.filter(({ reason }) => reason === 'made from a photograph of DIV2K');
    expect(derived).toHaveLength(3 * divided.length);

    expect(await prepared(place, 'all')).toMatchObject({
      taken: { length: 5 },
      recognised: { set: 'DIV2K', part: undefined },
      pairs: { equal: 5, different: [] },
    });
  });
});

describe('DIV2K', () => {
  it('validation pairs that differ from ours are listed with what is wrong', async () => {
    const place = await writeFolder(join(folder, 'DIV2K'), await div2k(spoiled));
    const [first, second] = await Promise.all([realPicture(2), realPicture(3)]);
    const lrOf = (id: number) => `DIV2K_valid_LR_bicubic/X4/0${id}x4.png`;
    const { pairs, taken } = await prepared(place, 'validation');
    expect(taken).toHaveLength(3);
    expect(pairs).toEqual({
      equal: 0,
      different: [
        {
          file: 'DIV2K_valid_HR/0801.png',
          lr: lrOf(801),
          values: 1,
          of: (3 * first.width * first.height) / 16,
          largest: 5,
        },
        {
          file: 'DIV2K_valid_HR/0802.png',
          lr: lrOf(802),
          values: (3 * second.width * second.height) / 16,
          of: (3 * second.width * second.height) / 16,
          largest: 255,
          reason: 'it is 33x24, a quarter of the photograph is 33x25',
        },
        {
          file: 'DIV2K_valid_HR/0803.png',
          lr: lrOf(803),
          ...{ values: 0, of: 0, largest: 0, reason: 'its format is not one of JPEG, PNG, WebP, TIFF, AVIF and GIF' },
        },
      ],
    });
    expect((await prepared(place)).pairs).toEqual({ equal: 2, different: [] });
  });

  it('if only the validation part exists, it is taken; another one is refused', async () => {
    const whole = Object.entries(await div2k(unchanged));
    const zips = ['DIV2K_valid_HR', 'DIV2K_valid_LR_bicubic'];
    for (const name of zips) {
      const files = Object.fromEntries(whole.filter(([file]) => file.startsWith(`${name}/`)));
      await writeFolder(join(folder, 'DIV2K'), {});
      await writeZip(join(folder, `${name}.zip`), files);
    }
    expect(await prepared(folder)).toMatchObject({
      taken: { length: 3 },
      recognised: { set: 'DIV2K', part: 'validation' },
      pairs: { equal: 3, different: [] },
    });
    expect(await refusal(folder, 'train')).toMatch(/^\S+ has no train part; name the validation part$/);
  });
});

const imageNet = {
  train: ['n01440764', 'n01443537'].flatMap((name) => [18, 2042].map((i) => `train/${name}/${name}_${i}.JPEG`)),
  validation: [1, 2, 49999].map((i) => `val/ILSVRC2012_val_${String(i).padStart(8, '0')}.JPEG`),
  test: ['test/ILSVRC2012_test_00000001.JPEG'],
};

describe.each(places)('ImageNet in a %s', (_kind, write) => {
  it('each part, by the names of the pictures', async () => {
    const pictures = await realPictures([...imageNet.train, ...imageNet.validation, ...imageNet.test]);
    const lists = { 'ImageSets/CLS-LOC/val.txt': Buffer.from('ILSVRC2012_val_00000001 1\n') };
    const place = await write('ILSVRC', { ...pictures, ...lists });
    expect(namesOf((await prepared(place)).taken)).toEqual(imageNet.train);
    for (const part of ['train', 'validation', 'test'] as const) {
      const report = await prepared(place, part);
      expect(namesOf(report.taken)).toEqual(imageNet[part]);
      expect(report.recognised).toEqual({ set: 'ImageNet', part });
      expect(report.pairs).toBeUndefined();
    }
    expect((await prepared(place, 'all')).taken).toHaveLength(8);
  });

  it('only the validation pictures, as the official tar has them, and in one folder per class', async () => {
    const flat = imageNet.validation.map((name) => name.replace('val/', ''));
    const pictures = await realPictures(flat);
    const report = await prepared(await write('ILSVRC2012_img_val', pictures));
    expect(namesOf(report.taken)).toEqual(flat);
    expect(report.recognised).toEqual({ set: 'ImageNet', part: 'validation' });
    const inClasses = Object.entries(pictures).map(([name, bytes], i) => [`n0144076${i}/${name}`, bytes]);
    const sorted = await prepared(await write('val', Object.fromEntries(inClasses) as Files), 'validation');
    expect(sorted).toMatchObject({ taken: { length: 3 }, recognised: { set: 'ImageNet', part: 'validation' } });
  });
});

describe('other sets', () => {
  it('a part is refused if the names are of none', async () => {
    const files = await realPictures(['mirflickr/im1.jpg', 'mirflickr/im2.jpg']);
    const place = await writeZip(join(folder, 'mirflickr25k.zip'), files);
    expect(await refusal(place, 'validation')).toMatch(
      /mirflickr25k\.zip has no validation part; omit --part: these names/,
    );
    expect((await prepared(place, 'all')).taken).toHaveLength(2);
  });

  it('BSD500 has three parts', async () => {
    const names = ['train/100075.jpg', 'val/101085.jpg', 'test/100007.jpg'].map((name) => `data/images/${name}`);
    const place = await writeTar(
      join(folder, 'BSR_bsds500.tgz'),
      Object.fromEntries(
        Object.entries(await realPictures(names)).map(([name, bytes]) => [`BSR/BSDS500/${name}`, bytes]),
      ),
    );
    for (const [i, part] of (['train', 'validation', 'test'] as const).entries()) {
      const { taken, recognised } = await prepared(place, part);
      expect(taken).toHaveLength(1);
      expect(taken[0].file.endsWith(names[i])).toBe(true);
      expect(recognised).toEqual({ set: 'BSD500', part });
    }
  });
});
