import { posix } from 'node:path';
import { FourfoldError } from '@fourfold/common';

/**
 * Find each original's version among pictures made by other software, all given by their keys: the one with the same path apart
 * from the extension, else with the same name in another folder. Throws `not-found` for an original without a version, and
 * `invalid` if several could be meant. `place` is where the versions are.
 */
export function pairPictures(
  originals: readonly string[],
  versions: readonly string[],
  place: string,
): Map<string, string> {
  return new Map(originals.map((original) => [original, versionOf(original, originals, versions, place)]));
}

function versionOf(original: string, originals: readonly string[], versions: readonly string[], place: string): string {
  for (const labelOf of [pathOf, nameOf]) {
    const hasLabel = (key: string) => labelOf(key) === labelOf(original);
    const found = versions.filter(hasLabel);
    if (found.length === 0) continue;
    const claimants = originals.filter(hasLabel);
    if (found.length === 1 && claimants.length === 1) return found[0];
    // Raters would not notice a wrong one.
    throw new FourfoldError('invalid', `${original}: ${oneOf(found)} in ${place} could be of ${oneOf(claimants)}`, {
      hint: "give versions their originals' paths, folders included; no two may differ only in the extension",
    });
  }
  throw new FourfoldError('not-found', `${place} has no version of ${original}`);
}

const pathOf = (key: string): string => key.slice(0, key.length - posix.extname(key).length);
const nameOf = (key: string): string => posix.basename(pathOf(key));
/** Two are enough to show what is ambiguous. */
const oneOf = (keys: readonly string[]): string => keys.slice(0, 2).join(' or ');
