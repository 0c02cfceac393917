import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '@fourfold/store';
import type { DataConfig } from '@fourfold/common';
import { cropPicture, readPicture, type Picture } from '@fourfold/imaging';

/** Path of one of the shipped photographs. */
export const photographPath = (name: string) =>
  fileURLToPath(new URL(`../../../examples/photographs/${name}`, import.meta.url));

/** A picture file. */
export const readPictureFile = (path: string): Promise<Picture> =>
  readPicture(openStore(dirname(path)), basename(path));

/** The top left of a photograph. */
export async function photographCorner(name: string, width: number, height: number): Promise<Picture> {
  return cropPicture(await readPictureFile(photographPath(name)), { left: 0, top: 0, width, height });
}

/** The plainest data config, with changes. */
export const dataConfig = (changes: Partial<DataConfig>): DataConfig => ({
  globalBatch: 16,
  replicas: 1,
  crop: 96,
  cropsPerPicture: 1,
  windowPictures: 1024,
  flips: false,
  quarterTurns: false,
  blurSigma: 0,
  cacheBytes: 10 * 2 ** 30,
  ...changes,
});
