import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '@fourfold/store';
import { cropPicture, readPicture, type Picture } from './picture.js';

/** Path of one of the shipped photographs, or of a file of the imresize reference. */
export const photographPath = (name: string) =>
  fileURLToPath(new URL(`../../../examples/photographs/${name}`, import.meta.url));
export const referencePath = (name: string) =>
  fileURLToPath(new URL(`../../../test/imresize-reference/${name}`, import.meta.url));

/** A picture file. */
export const readPictureFile = (path: string): Promise<Picture> =>
  readPicture(openStore(dirname(path)), basename(path));

/** The top left of a photograph. */
export async function photographCorner(name: string, width: number, height: number): Promise<Picture> {
  return cropPicture(await readPictureFile(photographPath(name)), { left: 0, top: 0, width, height });
}
