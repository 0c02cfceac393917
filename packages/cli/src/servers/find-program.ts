import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheFolder, FourfoldError } from '@fourfold/common';

/** Where `fourfold setup servers` puts programs: a cache folder of the user. */
export const cacheBin = (): string => join(cacheFolder(), 'bin');

/** Path of a program on the PATH, else in the cache folder; undefined if it is in neither. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), cacheBin()];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Like `findProgram`, but throws `not-found` if there is none; `installs` is the command that installs it. */
export function requireProgram(name: string, installs = 'npx fourfold setup servers'): string {
  const path = findProgram(name);
  if (path) return path;
  throw new FourfoldError('not-found', `${name} is neither on the PATH nor in ${cacheBin()}`, {
    hint: `${installs} installs it`,
  });
}

/** Whether a file exists that this user may execute. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
