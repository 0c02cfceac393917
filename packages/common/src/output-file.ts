import type { BigIntStats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError } from './errors.js';
import { localPath, openStore } from './object-store.js';

export interface OutputFileRules {
  /** Files and folders that are read, as the user has named them. */
  inputs: readonly string[];
  /** The user has said that a file that is there may be written over. */
  force: boolean;
}

/**
 * Check a single file that is going to be written, before any work is done. Throws `invalid` where it is no plain file, where it is
 * a file that is read (by whatever link), and where it is there already and nobody has said that it may go.
 */
export async function checkOutputFile(file: string, { inputs, force }: OutputFileRules): Promise<void> {
  // A link that leads nowhere is the user's, too.
  if (!(await lstat(file).catch(() => undefined))) return;
  const existing = await identify(file);
  if (existing?.isDirectory()) throw refusal(file, 'is a folder');
  if (!existing?.isFile()) throw refusal(file, 'is there already and is no plain file');
  for (const input of inputs) {
    const place = await placeIn(input, existing);
    if (place) throw refusal(file, place === 'it' ? `is ${input}, which is read` : `is in ${input}, which is read`);
  }
  if (!force) {
    throw new FourfoldError('invalid', `${file} exists already`, {
      mend: 'name another file, or give --force to write over it',
    });
  }
}

const refusal = (file: string, reason: string) =>
  new FourfoldError('invalid', `${file} ${reason}`, { mend: 'name another file' });

/** Whether an input is this file, or a folder with it somewhere below. */
async function placeIn(input: string, file: BigIntStats): Promise<'it' | 'below' | undefined> {
  const path = localPath(input);
  if (path === undefined) return undefined;
  const found = await identify(path);
  if (!found?.isDirectory()) return isSame(found, file) ? 'it' : undefined;
  for (const { key } of await openStore(path).list('')) {
    if (isSame(await identify(join(path, key)), file)) return 'below';
  }
  return undefined;
}

/** What tells a file from all others, links followed; undefined where there is none. */
export const identify = (path: string): Promise<BigIntStats | undefined> =>
  stat(path, { bigint: true }).catch(() => undefined);

/** Whether two are one file or folder, by device and inode. */
export const isSame = (a: BigIntStats | undefined, b: BigIntStats | undefined): boolean =>
  a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
