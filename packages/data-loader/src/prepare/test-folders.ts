import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterEach, beforeEach } from 'vitest';
import { openStore, type ObjectStore } from '@fourfold/store';
import { photographCorner } from '../test-pictures.js';
import { prepareDefaults, type PrepareOptions } from './prepare.js';

/** Two empty folders for each test of a file: one for photographs, and one for datasets outside it. */
export function usePrepareFolders() {
  let folder: string;
  let elsewhere: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-prepare-'));
    elsewhere = await mkdtemp(join(tmpdir(), 'fourfold-prepared-'));
  });
  afterEach(async () => {
    for (const used of [folder, elsewhere]) await rm(used, { recursive: true });
  });
  return {
    /** A path in the folder of photographs. */
    inFolder: (...names: string[]) => join(folder, ...names),
    /** A path in the folder of datasets. */
    outside: (...names: string[]) => join(elsewhere, ...names),
    options: (changes: Partial<PrepareOptions>): PrepareOptions => ({
      ...prepareDefaults,
      images: folder,
      store: openStore(join(elsewhere, 'dataset')),
      name: 'test',
      ...changes,
    }),
  };
}

export const keysOf = async (store: ObjectStore) => (await store.list('')).map(({ key }) => key);

/** Files of every kind: the good, the convertible and the bad. */
export async function writeAwkwardPictures(folder: string): Promise<void> {
  const { data, width, height } = await photographCorner('train/chelsea.png', 160, 120);
  const rgb = sharp(data, { raw: { width, height, channels: 3 } });
  const write = async (name: string, file: Sharp | Buffer | string) =>
    writeFile(join(folder, name), typeof file === 'string' || Buffer.isBuffer(file) ? file : await file.toBuffer());
  const plain = await rgb.clone().jpeg().toBuffer();
  await write('plain.jpg', plain);
  await write('copy.JPEG', plain);
  await write('truncated.jpg', plain.subarray(0, plain.length / 2));
  await write('empty.jpg', '');
  await write('phone.HEIC', 'no matter what');
  await write('web.jfif', rgb.clone().resize(161, 120).jpeg());
  await write('web.avif', rgb.clone().avif());
  await write('web.gif', rgb.clone().gif());
  await write('text.png', 'This is not a picture.\n');
  await write('small.png', rgb.clone().resize(40, 40).png());
  await write('cmyk.jpg', rgb.clone().toColourspace('cmyk').jpeg());
  await write('deep.png', rgb.clone().toColourspace('rgb16').png());
  await write('palette.png', rgb.clone().ensureAlpha(0.5).png({ palette: true }));
  await write('rotated.jpg', rgb.clone().withMetadata({ orientation: 6 }).jpeg());
  await write('grey.jpg', rgb.clone().toColourspace('b-w').jpeg());
  await write('photo.webp', rgb.clone().webp());
  await write('scan.tif', rgb.clone().tiff());
}
