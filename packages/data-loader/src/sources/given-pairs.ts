import { posix } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import { decodePicture, isPictureName, type Picture } from '@fourfold/imaging';
import type { Source, SourceFile } from './source.js';

/** LR pictures that come with photographs, such as DIV2K's X4 or real pairs. */
export interface GivenPairs {
  /** Of all of them. */
  names: readonly string[];
  /**
   * The LR picture of a photograph; throws `invalid` with only the reason if there is none, or not exactly one, or if it is that of
   * another photograph too.
   */
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

/** Find the LR pictures of these photographs in a source by name. */
export function createGivenPairs({ files, title }: Source, photographs: readonly string[]): GivenPairs {
  const byName = byPairName(
    files.filter(({ name }) => isPictureName(name)),
    ({ name }) => name,
  );
  const photographsByName = byPairName(photographs, (name) => name);
  const candidates = (photograph: string): SourceFile[] => {
    const found = byName.get(pairName(photograph)) ?? [];
    // Several of one name lie in folders that are named like the photographs'.
    const beside = found.filter(({ name }) => posix.dirname(name) === posix.dirname(photograph));
    return beside.length === 1 ? beside : found;
  };
  /** Another photograph that this LR picture may belong to as well. */
  const otherOf = (lr: SourceFile, photograph: string): string | undefined => {
    const claims = (photographsByName.get(pairName(photograph)) ?? []).filter((other) => {
      const [first, second] = candidates(other);
      return first === lr && !second;
    });
    const beside = claims.filter((name) => posix.dirname(name) === posix.dirname(lr.name));
    return (beside.length === 1 ? beside : claims).find((other) => other !== photograph);
  };
  return {
    names: files.map(({ name }) => name),
    lrOf(photograph) {
      const [lr, second] = candidates(photograph);
      if (!lr) throw new FourfoldError('invalid', `it has no LR picture in ${title}`);
      if (second) throw new FourfoldError('invalid', `its LR picture may be ${lr.name} or ${second.name}`);
      const other = otherOf(lr, photograph);
      if (other === undefined) return lr;
      throw new FourfoldError('invalid', `its LR picture ${lr.name} would also be that of ${other}`);
    },
  };
}

function byPairName<T>(values: readonly T[], nameOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const name = pairName(nameOf(value));
    const group = groups.get(name);
    if (group) group.push(value);
    else groups.set(name, [value]);
  }
  return groups;
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
