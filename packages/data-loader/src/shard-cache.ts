import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createLogger,
  damagedError,
  FourfoldError,
  storageError,
  systemErrorCode,
  type DataConfig,
  type ObjectStore,
} from '@fourfold/common';
import type { DatasetShard } from './manifest.js';
import { hashFile, type HeldFile } from './shard-file.js';

/*
 * Shards of object stores on this machine's disk, in a folder that all processes and runs share: SHA256.tar. Such a file
 * appears whole, by a rename. Whoever opens one keeps it open, so that its removal by another process takes nothing away.
 */

export interface ShardCache {
  /** The shard's file, checked against its SHA-256. Throws `corrupt` naming the shard, `no-space`, and what the store throws. */
  open(store: ObjectStore, shard: DatasetShard): Promise<HeldFile>;
}

const partialMark = '.partial-';
/** A file that another process fetches counts as given up when it has not grown for so long. */
const silenceMs = 10_000;
const pollMs = 200;
/** What a killed process has left is removed after this. */
const abandonedMs = 3_600_000;

/** How many in this process use a file, by its path: it is not removed, though it be the oldest. */
const users = new Map<string, number>();

function hold(path: string, handle: FileHandle): HeldFile {
  users.set(path, (users.get(path) ?? 0) + 1);
  return {
    handle,
    close() {
      const others = (users.get(path) ?? 0) - 1;
      if (others > 0) users.set(path, others);
      else users.delete(path);
      return handle.close();
    },
  };
}

/** The cache in `cacheFolder` (or the user's) of at most `cacheBytes`, or of what is in use where that is more. */
export function createShardCache({
  cacheFolder,
  cacheBytes,
}: Pick<DataConfig, 'cacheFolder' | 'cacheBytes'>): ShardCache {
  const folder = resolve(cacheFolder ?? userFolder());
  const log = createLogger('shard-cache');
  const failure = (cause: unknown) =>
    cause instanceof FourfoldError
      ? cause
      : new FourfoldError(
          storageError(folder, 'written', cause).code,
          `the shard cache ${folder} could not be read or written`,
          { mend: 'set data.cacheFolder to a folder with room, or data.cacheBytes to fewer bytes', cause },
        );

  /** The cached file; undefined when there is none, or none any more because it was damaged. */
  const openCached = async (path: string, sha256: string): Promise<HeldFile | undefined> => {
    const handle = await open(path).catch((error: unknown) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    });
    if (!handle) return undefined;
    const file = hold(path, handle);
    // What cannot be read is as good as damaged.
    if ((await hashFile(handle).catch(() => undefined)) === sha256) {
      // The time of the last use decides what is removed first. Only its owner may set it.
      await handle.utimes(new Date(), new Date()).catch(() => undefined);
      return file;
    }
    log.warn({ event: 'cached-shard-damaged', path }, 'a damaged shard in the cache is fetched again');
    await file.close();
    await rm(path, { force: true });
    return undefined;
  };

  const isFetchedElsewhere = async (sha256: string): Promise<boolean> =>
    (await look(folder)).some(({ name, modifiedMs }) => {
      return name.startsWith(sha256 + partialMark) && Date.now() - modifiedMs < silenceMs;
    });

  const fetch = async (store: ObjectStore, { file, sha256, sizeBytes }: DatasetShard, path: string) => {
    await makeRoom(folder, cacheBytes - sizeBytes);
    const temporary = join(folder, `${sha256}${partialMark}${randomUUID()}`);
    const handle = await open(temporary, 'wx+');
    try {
      const hash = createHash('sha256');
      for await (const piece of store.read(file)) {
        hash.update(piece);
        await handle.appendFile(piece);
      }
      const actual = hash.digest('hex');
      if (actual !== sha256) throw damagedError(`${store.url}/${file}`, actual, sha256);
      await rename(temporary, path);
      return hold(path, handle);
    } catch (error) {
      await handle.close();
      await rm(temporary, { force: true });
      throw error;
    }
  };

  return {
    async open(store, shard) {
      const path = join(folder, `${shard.sha256}.tar`);
      try {
        await mkdir(folder, { recursive: true });
        for (;;) {
          const cached = await openCached(path, shard.sha256);
          if (cached) return cached;
          if (!(await isFetchedElsewhere(shard.sha256))) return await fetch(store, shard, path);
          await delay(pollMs);
        }
      } catch (error) {
        throw failure(error);
      }
    },
  };
}

const userFolder = () => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'fourfold', 'shards');

/** The files of a cache, those used least recently first. */
async function look(folder: string): Promise<{ name: string; sizeBytes: number; modifiedMs: number }[]> {
  const names = await readdir(folder);
  const files = await Promise.all(
    names.map(async (name) => {
      // Another process may remove it at any time.
      const found = await stat(join(folder, name)).catch(() => undefined);
      return found ? [{ name, sizeBytes: found.size, modifiedMs: found.mtimeMs }] : [];
    }),
  );
  return files.flat().sort((a, b) => a.modifiedMs - b.modifiedMs);
}

/** Remove what was used least recently, until `limitBytes` are left at most, and what killed processes have left. */
async function makeRoom(folder: string, limitBytes: number): Promise<void> {
  const files = await look(folder);
  let total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const { name, sizeBytes, modifiedMs } of files) {
    const path = join(folder, name);
    const isPartial = name.includes(partialMark);
    const mayGo = isPartial ? Date.now() - modifiedMs > abandonedMs : total > limitBytes && !users.has(path);
    if (!mayGo) continue;
    await rm(path, { force: true });
    total -= sizeBytes;
  }
}
