import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beginTrail, FourfoldError, systemErrorCode, trailInto, type Trail } from '@fourfold/common/basics';
import type { ObjectStore } from '@fourfold/store';
import { isPictureName } from './picture-formats.js';

/**
 * Paths of all files below a folder, relative to it, with slashes, in ascending order. Links to folders are followed, hidden files
 * and folders are skipped. Throws `not-found` if the folder does not exist.
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

/** Keys of a store's objects that are named like pictures, in ascending order; hidden ones are skipped. */
export async function listPictures(store: ObjectStore): Promise<string[]> {
  const keys = (await store.list('')).map(({ key }) => key);
  return keys.filter((key) => isPictureName(key) && !/(^|\/)\./.test(key));
}
