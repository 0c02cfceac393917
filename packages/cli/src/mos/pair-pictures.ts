import { posix } from 'node:path';
import { FourfoldError } from '@fourfold/common';

/**
 * Each original's version among the pictures that something else made, all of them by their keys: the one of the same path
 * without its extension, else of the same name in another folder. Throws `not-found` for an original that has none, and `invalid`
 * where more than one could be meant. `place` is where the versions are.
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
    // Nobody who rates would notice a wrong one.
    throw new FourfoldError('invalid', `${original}: ${oneOf(found)} in ${place} could be of ${oneOf(claimants)}`, {
      hint: "give versions their originals' paths, folders included, and let no two differ by the extension alone",
    });
  }
  throw new FourfoldError('not-found', `${place} has no version of ${original}`);
}

const pathOf = (key: string): string => key.slice(0, key.length - posix.extname(key).length);
const nameOf = (key: string): string => posix.basename(pathOf(key));
/** Two are enough to show what is ambiguous. */
const oneOf = (keys: readonly string[]): string => keys.slice(0, 2).join(' or ');
