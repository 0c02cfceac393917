import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from '@fourfold/common/zod';
import { FourfoldError } from '@fourfold/common';
import { createFolderStore, storageError } from '../objects/folder-store.js';

/*
 * A folder on this machine that a command fills, and uses again when it is repeated. A file in it marks it; the file's name and `format`
 * identify the command.
 */

export interface FolderMark {
  file: string;
  format: string;
  /** Whether a folder without the file was made by an older version, which did not write it. */
  isOlder: (folder: string) => Promise<boolean>;
}

/**
 * Claim a folder for a command, before any work: create it, and mark it if it is empty except for hidden files. Resolves with whether it
 * already belonged to the command. Throws `invalid` if it holds anything and does not belong to it.
 */
export async function claimFolder(folder: string, mark: FolderMark): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true });
    const names = (await readdir(folder)).filter((name) => !name.startsWith('.'));
    if (names.includes(mark.file) && (await isMarked(folder, mark))) return true;
    const isOlder = names.length > 0 && !names.includes(mark.file) && (await mark.isOlder(folder));
    if (names.length > 0 && !isOlder) {
      throw new FourfoldError('invalid', `${folder} holds ${names.sort()[0]}, and is not a folder of ${mark.format}`, {
        hint: 'name a new or an empty folder, or move what is in it',
      });
    }
    const text = `${JSON.stringify({ format: mark.format, version: 1 })}\n`;
    // All or nothing: half a mark would look like somebody's file, and lock the folder.
    await createFolderStore(folder).put(mark.file, text, { ifAbsent: true });
    return isOlder;
  } catch (error) {
    throw error instanceof FourfoldError ? error : storageError(folder, 'written', error);
  }
}

const isMarked = (folder: string, { file, format }: FolderMark): Promise<boolean> =>
  readFile(join(folder, file), 'utf8').then(
    (text) => {
      try {
        return z.object({ format: z.literal(format) }).safeParse(JSON.parse(text)).success;
      } catch {
        return false;
      }
    },
    () => false,
  );
