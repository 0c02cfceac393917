import { posix } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import { decodePicture, isPictureName, type Picture } from '@fourfold/imaging';
import type { Source, SourceFile } from './source.js';

/** LR pictures that come with photographs, such as DIV2K's X4 or real pairs. */
export interface GivenPairs {
  /** Of all of them. */
  names: readonly string[];
  /** The LR picture of a photograph; throws `invalid` with only the reason if there is none, or not exactly one. */
  lrOf(photograph: string): SourceFile;
}

/**
 * The name that a photograph and its LR picture have in common, lower case, without folder, extension and what data sets append to tell the
 * two apart: `0001.png` and `0001x4.png` (DIV2K), `Canon_001_HR.png` and `Canon_001_LR4.png` (RealSR), or the same name (BasicSR).
 */
export const pairName = (name: string): string =>
  posix
    .parse(name)
    .name.toLowerCase()
    .replace(/(?:[-_]?(?:hr|gt|lr|lr4|lrbi|lq))?(?:[-_]?x4)?$/, '');

/** Find the LR pictures of a source by name. */
export function createGivenPairs({ files, title }: Source): GivenPairs {
  const byName = new Map<string, SourceFile[]>();
  for (const file of files.filter(({ name }) => isPictureName(name))) {
    const name = pairName(file.name);
    byName.set(name, [...(byName.get(name) ?? []), file]);
  }
  return {
    names: files.map(({ name }) => name),
    lrOf(photograph) {
      const found = byName.get(pairName(photograph)) ?? [];
      if (found.length === 1) return found[0];
      const folder = posix.dirname(photograph);
      // Several of one name lie in folders that are named like the photographs'.
      const beside = found.filter(({ name }) => posix.dirname(name) === folder);
      if (beside.length === 1) return beside[0];
      if (found.length === 0) throw new FourfoldError('invalid', `it has no LR picture in ${title}`);
      throw new FourfoldError('invalid', `its LR picture may be ${found[0].name} or ${found[1].name}`);
    },
  };
}

/** Read the LR picture of a photograph of this size. Throws `invalid` with only the reason. */
export async function readGivenLr(file: SourceFile, { width, height }: Omit<Picture, 'data'>): Promise<Picture> {
  const lr = await decodePicture(await file.read()).catch((cause: unknown) => {
    if (!(cause instanceof FourfoldError) || cause.code !== 'invalid') throw cause;
    throw new FourfoldError('invalid', `its LR picture ${file.name}: ${cause.message}`, { cause });
  });
  if (lr.width === Math.ceil(width / 4) && lr.height === Math.ceil(height / 4)) return lr;
  const quarter = `a quarter of ${width}x${height} is ${Math.ceil(width / 4)}x${Math.ceil(height / 4)}`;
  throw new FourfoldError('invalid', `its LR picture ${file.name} is ${lr.width}x${lr.height}, ${quarter}`);
}
