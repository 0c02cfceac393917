import { open } from 'node:fs/promises';
import { damagedError, storageError, type ObjectStore } from '@fourfold/store';
import { FourfoldError } from '@fourfold/common';
import type { DatasetShard } from '../prepare/manifest.js';
import type { ShardCache } from './shard-cache.js';
import { hashOnce, type HeldFile } from './held-file.js';

/** A shard's open file, compared with its SHA-256. It stays readable even if the file is replaced or removed. */
export interface ShardFile extends HeldFile {
  /** For errors. */
  name: string;
}

/**
 * Open a shard and act on its file, which `use` keeps: in place if the store is a folder, else in the cache. The file is closed if that
 * fails. Throws `not-found`, `corrupt` naming the shard, and what `use` does.
 */
export async function openShardFile<T>(
  { store, shard, cache }: { store: ObjectStore; shard: DatasetShard; cache: ShardCache },
  use: (file: ShardFile) => Promise<T>,
): Promise<T> {
  const name = `${store.url}/${shard.file}`;
  const file = store.filePath
    ? await openInPlace(store.filePath(shard.file), name, shard.sha256)
    : await cache.open(store, shard);
  try {
    return await use({ name, handle: file.handle, close: file.close });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The error for a file that has become shorter since it was opened. */
export const truncatedError = (name: string): FourfoldError =>
  new FourfoldError('corrupt', `${name}: it was truncated while in use`);

async function openInPlace(path: string, name: string, sha256: string): Promise<HeldFile> {
  const unreadable = (cause: unknown) => {
    throw storageError(name, 'read', cause);
  };
  const handle = await open(path).catch(unreadable);
  try {
    const actual = await hashOnce(handle).catch(unreadable);
    if (actual !== sha256) throw damagedError(name, actual, sha256);
    return { handle, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
