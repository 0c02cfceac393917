import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { FourfoldError } from '@fourfold/common';

/** Programs that `npm run setup:servers` installs where the machine has none. */
export type ServerProgram = 'nats-server' | 'minio' | 'prometheus' | 'promtool';

/** Where `npm run setup:servers` puts programs: a cache folder outside the repository. */
const cacheBin = () => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'fourfold', 'bin');

/** Path of a program on the machine's PATH, else in the cache folder; undefined where it is in neither. */
export function findProgram(name: ServerProgram): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), cacheBin()];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** As `findProgram`, but throws `not-found` where there is none. */
export function requireProgram(name: ServerProgram): string {
  const path = findProgram(name);
  if (path) return path;
  throw new FourfoldError('not-found', `${name} is neither on the PATH nor in ${cacheBin()}`, {
    mend: 'npm run setup:servers installs it',
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
