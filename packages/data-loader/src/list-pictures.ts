import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beginTrail, FourfoldError, systemErrorCode, trailInto, type ObjectStore, type Trail } from '@fourfold/common';
import { isPictureName } from './picture-formats.js';

/**
 * Paths of all files below a folder, relative to it, with slashes, in ascending order; links to folders are followed, hidden files
 * and folders are not looked at. Throws `not-found` where there is no such folder.
 */
export async function listFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  const walk = async (relative: string, trail: Trail): Promise<void> => {
    for (const entry of await readdir(join(folder, relative), { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const path = relative ? `${relative}/${entry.name}` : entry.name;
      const into = await trailInto(join(folder, path), entry, trail);
      if (!into) files.push(path);
      else if (into !== 'circle') await walk(path, into);
    }
  };
  await walk('', await beginTrail(folder)).catch((cause: unknown) => {
    const missing = systemErrorCode(cause) === 'ENOENT';
    throw new FourfoldError(missing ? 'not-found' : 'invalid', `folder ${folder} cannot be listed`, {
      hint: 'name a folder of pictures',
      cause,
    });
  });
  return files.sort((a, b) => (a < b ? -1 : 1));
}

/** Keys of a store's objects that are named like pictures, in ascending order; hidden ones are not looked at. */
export async function listPictures(store: ObjectStore): Promise<string[]> {
  const keys = (await store.list('')).map(({ key }) => key);
  return keys.filter((key) => isPictureName(key) && !/(^|\/)\./.test(key));
}
