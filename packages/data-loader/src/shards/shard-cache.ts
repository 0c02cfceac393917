import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createLogger,
  describeError,
  FourfoldError,
  reportWaiting,
  systemErrorCode,
  type DataConfig,
  type Logger,
} from '@fourfold/common';
import { damagedError, storageError, type ObjectStore } from '@fourfold/store';
import { makeRoom } from './cache-eviction.js';
import { listCache, partialPath, shardPath, userCacheFolder } from './cache-folder.js';
import { createFetchWatch, type FetchPatience } from './fetch-watch.js';
import type { DatasetShard } from '../prepare/manifest.js';
import { hashOnce, noteHash, type HeldFile } from './held-file.js';

/*
 * Shards of object stores on this machine's disk, in a folder that all processes and runs share (cache-folder.ts). A shard's file
 * appears complete, by a rename. A reader keeps it open, so that its removal by another process does no harm.
 */

export interface ShardCache {
  /** The shard's file, checked against its SHA-256. Throws `corrupt` naming the shard, `no-space`, and what the store throws. */
  open(store: ObjectStore, shard: DatasetShard): Promise<HeldFile>;
}

const pollMs = 200;
const usualPatience: FetchPatience = { silenceMs: 10_000, longestMs: 600_000 };

/** Users of a file in this process, by its path: a file in use is not removed, even if it is the oldest. */
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

/** Where shards are cached, and how. */
interface Place {
  folder: string;
  cacheBytes: number;
  patience: FetchPatience;
  log: Logger;
}

/** The cache in `cacheFolder` (or the user's): at most `cacheBytes`, or the files in use if those are more. */
export function createShardCache(
  { cacheFolder, cacheBytes }: Pick<DataConfig, 'cacheFolder' | 'cacheBytes'>,
  patience = usualPatience,
): ShardCache {
  const folder = resolve(cacheFolder ?? userCacheFolder(process.env));
  const log = createLogger('shard-cache');
  const place = { folder, cacheBytes, patience, log };
  return {
    async open(store, shard) {
      const path = shardPath(folder, shard.sha256);
      try {
        await mkdir(folder, { recursive: true });
        const cached = await openCached(path, shard.sha256, log);
        if (cached) return cached;
        await awaitOthers(shard, place);
        return (await openCached(path, shard.sha256, log)) ?? (await fetchShard(store, shard, place));
      } catch (error) {
        throw cacheError(folder, error);
      }
    },
  };
}

/** The cached file; undefined if there is none, or if it was damaged and is now removed. */
async function openCached(path: string, sha256: string, log: Logger): Promise<HeldFile | undefined> {
  const found = await stat(path).catch(ignoreMissing);
  if (found && !found.isFile()) {
    throw new FourfoldError('invalid', `${path} has the name of a cached shard but is not a file`, {
      hint: 'remove it, or set data.cacheFolder to another folder',
    });
  }
  const handle = found && (await open(path).catch(ignoreMissing));
  if (!handle) return undefined;
  const file = hold(path, handle);
  // The time of the last use decides what is removed first. Only the file's owner may set it. The time of the last change stays, in
  // whole milliseconds: it tells all processes whether they know the file.
  await handle.utimes(new Date(), new Date(Math.round(found.mtimeMs))).catch(() => undefined);
  // An unreadable file counts as damaged.
  if ((await hashOnce(handle).catch(() => undefined)) === sha256) return file;
  log.warn({ event: 'cached-shard-damaged', path }, 'a damaged shard in the cache is fetched again');
  await file.close();
  await rm(path, { force: true });
  return undefined;
}

/** Wait while another process fetches a shard; resolves when the file exists or there is nothing left to wait for. */
function awaitOthers({ file, sha256 }: DatasetShard, { folder, patience, log }: Place): Promise<void> {
  const watch = createFetchWatch(patience);
  let path: string | undefined;
  const wait = async () => {
    for (; ; await delay(pollMs)) {
      const files = (await listCache(folder)).filter((found) => found.sha256 === sha256);
      path = files.some(({ isPartial }) => !isPartial) ? undefined : watch.worthIt(files)?.path;
      if (path === undefined) return;
    }
  };
  return reportWaiting(wait(), (waitedMs) =>
    log.info({ event: 'cache-waiting', waitedMs, shard: file, path }, `waiting for another process to fetch ${file}`),
  );
}

/** Fetch a shard into the cache. */
async function fetchShard(
  store: ObjectStore,
  { file, sha256, sizeBytes }: DatasetShard,
  place: Place,
): Promise<HeldFile> {
  const { folder, cacheBytes, log } = place;
  const path = shardPath(folder, sha256);
  const isUsed = (path: string) => users.has(path);
  await makeRoom(folder, cacheBytes - sizeBytes, isUsed, (path, cause) =>
    log.warn(
      { event: 'cache-foreign-file', path, ...(cause !== undefined && { error: describeError(cause) }) },
      cause === undefined
        ? 'a file has the name of a cached shard but other content: it stays'
        : 'a cached shard could not be removed: it stays and does not count',
    ),
  );
  const temporary = partialPath(folder, sha256);
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
    await handle.utimes(new Date(), new Date()).catch(() => undefined);
    await noteHash(handle, sha256);
    return hold(path, handle);
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

const cacheError = (folder: string, cause: unknown): FourfoldError =>
  cause instanceof FourfoldError
    ? cause
    : new FourfoldError(
        storageError(folder, 'written', cause).code,
        `the shard cache ${folder} could not be read or written`,
        { hint: 'set data.cacheFolder to a folder with room, or data.cacheBytes to fewer bytes', cause },
      );

const ignoreMissing = (error: unknown): undefined => {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
};
