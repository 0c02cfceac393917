import { sha256 } from '@fourfold/common';

/*
 * Keys of a run's validation pictures in its store. Workers write the pictures; the coordinator lists and shows them.
 *
 *     validation/<picture>/original.webp, bicubic.webp, <iteration>.webp
 */

export const validationFolder = 'validation/';

/** A view of a validation picture: the original, bicubic of its LR, or the generator's SR after an iteration. */
export type ValidationView = 'original' | 'bicubic' | number;

/** The key of one view of a picture, by the picture's name in its evaluation. */
export function validationKey(picture: string, view: ValidationView): string {
  const name = typeof view === 'number' ? String(view).padStart(8, '0') : view;
  return `${validationFolder}${folderName(picture)}/${name}.webp`;
}

/** The iteration of an SR view's key; undefined for other keys. */
export function validationIteration(key: string): number | undefined {
  const digits = /\/(\d+)\.webp$/.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The picture's name if every store and URL accepts it unchanged, else its safe characters and a hash. */
function folderName(picture: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(picture)) return picture;
  return `${picture.replaceAll(/[^A-Za-z0-9_]+/g, '-').slice(0, 80)}-${sha256(picture).slice(0, 8)}`;
}
