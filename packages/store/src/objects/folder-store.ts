import { createReadStream } from 'node:fs';
import { link, lstat, mkdir, open, readFile, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  FourfoldError,
  systemErrorCode,
  systemFailureCode,
  systemReason,
  beginTrail,
  trailInto,
  type Trail,
} from '@fourfold/common';
import { isUniquePartial, partialId, partialName } from '../outputs/partial-name.js';
import type { ObjectInfo, ObjectStore } from './types.js';

/** An object store in a folder. Objects are written next to their final path, flushed to disk and moved; then the folder is flushed. */
// eslint-disable-next-line max-lines-per-function -- the short methods of one store
export function createFolderStore(given: string): ObjectStore {
  // Without the slash that a user may put at its end.
  const folder = resolve(given);
  const url = pathToFileURL(folder).href;
  const pathOf = (key: string) => {
    const path = join(folder, key);
    if (path !== folder && !path.startsWith(folder + sep)) {
      throw new FourfoldError('invalid', `object key ${key} leads out of ${url}`);
    }
    return path;
  };
  return {
    url,
    filePath: pathOf,
    async get(key) {
      const path = pathOf(key);
      try {
        return await readFile(path);
      } catch (cause) {
        throw storageError(`${url}/${key}`, 'read', cause);
      }
    },
    async *read(key, begin = 0) {
      const stream = createReadStream(pathOf(key), { start: begin });
      try {
        for await (const chunk of stream) yield chunk as Buffer;
      } catch (cause) {
        throw storageError(`${url}/${key}`, 'read', cause);
      }
    },
    async put(key, body, { ifAbsent = false } = {}) {
      const path = pathOf(key);
      const temporary = join(dirname(path), partialName());
      try {
        const firstMade = await mkdir(dirname(path), { recursive: true });
        await writeFlushed(temporary, body);
        if (ifAbsent) await link(temporary, path);
        else await rename(temporary, path);
        // The caller may next remove what this object replaces: it must survive a power failure first.
        await flushFolders(dirname(path), firstMade === undefined ? dirname(path) : dirname(firstMade));
      } catch (cause) {
        throw storageError(`${url}/${key}`, 'written', cause);
      } finally {
        // If the file was never created, there is nothing to remove.
        await rm(temporary, { force: true }).catch(() => undefined);
      }
    },
    async list(prefix) {
      const infos = await listFolder(folder, folder, prefix, await beginTrail(folder));
      return infos.sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    async remove(key) {
      await rm(pathOf(key), { force: true }).catch((cause: unknown) => {
        throw storageError(`${url}/${key}`, 'removed', cause);
      });
    },
    async tidyFolder(key) {
      const path = pathOf(key);
      try {
        const names = await readdir(path);
        // The files of puts that were killed.
        for (const name of names) if (isUniquePartial(name)) await rm(join(path, name), { force: true });
        await rmdir(path);
      } catch (cause) {
        if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(cause) ?? '')) {
          throw storageError(`${url}/${key}`, 'removed', cause);
        }
      }
    },
    at: (prefix) => createFolderStore(pathOf(prefix)),
  };
}

async function writeFlushed(path: string, body: Uint8Array | string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(body);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Flush a folder and its parents up to `last`. Errors of file systems that cannot flush a folder are ignored. */
export async function flushFolders(folder: string, last: string): Promise<void> {
  for (let path = folder; ; path = dirname(path)) {
    const handle = await open(path, 'r').catch(() => undefined);
    try {
      await handle?.sync();
    } catch (error) {
      if (!['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR', 'EBADF'].includes(systemErrorCode(error) ?? '')) throw error;
    } finally {
      await handle?.close();
    }
    if (path === last || dirname(path) === path) return;
  }
}

async function listFolder(root: string, folder: string, prefix: string, trail: Trail): Promise<ObjectInfo[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    if (systemErrorCode(cause) === 'ENOENT') return [];
    throw storageError(folder, 'listed', cause);
  });
  const infos: ObjectInfo[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    const key = relative(root, path).split(sep).join('/');
    const into = await trailInto(path, entry, trail);
    if (into) {
      const mayMatch = key.startsWith(prefix) || prefix.startsWith(`${key}/`);
      if (mayMatch && into !== 'circle') infos.push(...(await listFolder(root, path, prefix, into)));
    } else if (key.startsWith(prefix) && partialId(entry.name) === undefined) {
      // An object may be removed between the listing and this check. A dangling link counts: a put would replace it.
      const found = await stat(path)
        .catch(() => lstat(path))
        .catch(() => undefined);
      if (found) infos.push({ key, sizeBytes: found.size });
    }
  }
  return infos;
}

/** The error for a file system's failure, because of which `name` could not be `verb` (read, written, listed, removed). */
export function storageError(name: string, verb: string, cause: unknown): FourfoldError {
  const systemCode = systemErrorCode(cause);
  const code = systemFailureCode(systemCode);
  // A folder is made or listed where there is a file.
  if (isOfFolder(cause) && ['ENOTDIR', 'EEXIST'].includes(systemCode ?? '')) {
    return new FourfoldError('denied', `${name} is a file, or is inside one; a folder is needed`);
  }
  switch (code) {
    case 'not-found':
      return new FourfoldError(code, `${name} does not exist`, { cause });
    case 'conflict':
      return new FourfoldError(code, `${name} already exists`, { cause });
    default: {
      const reason = systemCode === undefined ? '' : `: ${systemReason(systemCode)}`;
      const hint = code === 'no-space' ? 'free some space' : undefined;
      return new FourfoldError(code, `${name} could not be ${verb}${reason}`, { hint, cause });
    }
  }
}

const isOfFolder = (cause: unknown): boolean =>
  cause instanceof Error && 'syscall' in cause && ['mkdir', 'scandir'].includes(String(cause.syscall));
