import { access, constants, link, lstat, open, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FourfoldError, systemErrorCode } from '@fourfold/common';
import { flushFolders, storageError } from '../objects/folder-store.js';
import { identify, keyIn, nameOf, nearestExisting, type InputPlace } from './input-places.js';
import { partialName } from './partial-name.js';

export interface OutputFileRules {
  /** What is read, as named by the user. */
  inputs: readonly InputPlace[];
  /** The user allows overwriting an existing file. */
  force: boolean;
}

/**
 * Check a single output file before any work. Throws `invalid` if it is not a regular file, if it is or would be part of what is read (by
 * any link), if it exists and may not be overwritten, or if its folder cannot be written to.
 */
export async function checkOutputFile(file: string, { inputs, force }: OutputFileRules): Promise<void> {
  const existing = await identify(file);
  if (existing?.isDirectory()) throw refusal(file, 'is a folder');
  // A dangling link belongs to the user, too.
  if (!existing?.isFile() && (await lstat(file).catch(() => undefined))) {
    throw refusal(file, 'already exists and is not a regular file');
  }
  await checkNotRead(file, inputs, 'file');
  if (existing && !force) throw existsAlready(file);
  const folder = await nearestExisting(dirname(resolve(file)));
  if (!(await identify(folder))?.isDirectory()) {
    throw new FourfoldError('invalid', `${file}: ${folder} is a file; a folder is needed`);
  }
  await access(folder, constants.W_OK).catch((cause: unknown) => {
    throw new FourfoldError('invalid', `${file}: folder ${folder} cannot be written to`, { cause });
  });
}

/** Throw `invalid` if an output file or folder is part of what is read, or would be. */
export async function checkNotRead(
  path: string,
  inputs: readonly InputPlace[],
  kind: 'file' | 'folder' = 'folder',
): Promise<void> {
  const isThere = (await identify(path)) !== undefined;
  for (const input of inputs) {
    const key = await keyIn(resolve(path), input);
    if (key === undefined) continue;
    if (resolve(path) === resolve(nameOf(input))) throw refusal(path, 'is the input', kind);
    const where = key === '' ? 'is' : isThere ? 'is in' : 'would be in';
    throw refusal(path, `${where} ${nameOf(input)}, which is read`, kind);
  }
}

/**
 * Write a single file, completely or not at all: `write` creates it under a temporary name in the same folder, then it is flushed to disk and
 * renamed. Throws `invalid` if a file has appeared there that may not be overwritten, `no-space`, `unavailable`.
 */
export async function writeOutputFile(
  file: string,
  { force }: Pick<OutputFileRules, 'force'>,
  write: (partial: string) => Promise<unknown>,
): Promise<void> {
  try {
    await writeWhole(file, { force }, write);
  } catch (error) {
    const code = systemErrorCode(error);
    if (error instanceof FourfoldError || code === undefined) throw error;
    throw code === 'EEXIST' ? existsAlready(file, error) : storageError(file, 'written', error);
  }
}

/** Like `writeOutputFile`, but with the file system's own errors: EEXIST if the file already exists. */
export async function writeWhole(
  file: string,
  { force }: Pick<OutputFileRules, 'force'>,
  write: (partial: string) => Promise<unknown>,
): Promise<void> {
  // A link stays a link: its target is what the user allowed to overwrite.
  const target = force ? await realpath(file).catch(() => file) : file;
  const partial = join(dirname(target), partialName());
  try {
    await write(partial);
    await flush(partial);
    if (force) await rename(partial, target);
    else await moveToNew(partial, target);
    await flushFolders(dirname(target), dirname(target));
  } finally {
    await rm(partial, { force: true }).catch(() => undefined);
  }
}

/** Move a file to a name that is not taken. */
async function moveToNew(partial: string, target: string): Promise<void> {
  try {
    await link(partial, target);
  } catch (error) {
    // File systems without links: FAT, some network folders.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(systemErrorCode(error) ?? '')) throw error;
    await (await open(target, 'wx')).close();
    // The empty file is ours: 'wx' has created it.
    await rename(partial, target).catch(async (cause: unknown) => {
      await rm(target, { force: true });
      throw cause;
    });
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

const refusal = (path: string, reason: string, kind: 'file' | 'folder' = 'file') =>
  new FourfoldError('invalid', `${path} ${reason}`, { hint: `name another ${kind}` });

const existsAlready = (file: string, cause?: unknown) =>
  new FourfoldError('invalid', `${file} already exists`, {
    hint: 'name another file, or give --force to overwrite it',
    cause,
  });
