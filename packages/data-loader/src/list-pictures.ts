import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError, systemErrorCode } from '@fourfold/common';

/** Whether a file's name says that it is a JPEG, PNG, WebP or TIFF. */
export const isPictureName = (name: string): boolean => /\.(jpe?g|png|webp|tiff?)$/i.test(name);

/**
 * Paths of all files below a folder, relative to it, with slashes, in ascending order; hidden files and folders are not
 * looked at. Throws `not-found` where there is no such folder.
 */
export async function listFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  const walk = async (relative: string): Promise<void> => {
    for (const entry of await readdir(join(folder, relative), { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const path = relative ? `${relative}/${entry.name}` : entry.name;
      if (entry.isDirectory()) await walk(path);
      else files.push(path);
    }
  };
  await walk('').catch((cause: unknown) => {
    const missing = systemErrorCode(cause) === 'ENOENT';
    throw new FourfoldError(missing ? 'not-found' : 'invalid', `folder ${folder} cannot be listed`, {
      mend: 'name a folder of pictures',
      cause,
    });
  });
  return files.sort((a, b) => (a < b ? -1 : 1));
}

/** The files below a folder that are named like pictures, as `listFiles` gives them. */
export async function listPictures(folder: string): Promise<string[]> {
  return (await listFiles(folder)).filter(isPictureName);
}
