import { open } from 'node:fs/promises';
import { damagedError, storageError, type ObjectStore } from '@fourfold/store';
import { FourfoldError } from '@fourfold/common';
import type { DatasetShard } from '../prepare/manifest.js';
import { indexShard, type StoredSample } from './shard.js';
import type { ShardCache } from './shard-cache.js';
import { hashFile, readFrom, type HeldFile } from './held-file.js';

/** A shard whose file is open. It reads the bytes that were verified, even if the file is replaced or removed. */
export interface OpenShard {
  /** A sample by its index, from 0. */
  read(index: number): Promise<StoredSample>;
  close(): Promise<void>;
}

/**
 * Open a shard and check it against its SHA-256: in place if the store is a folder, else from the cache. Throws `not-found`,
 * and `corrupt` naming the shard.
 */
export async function openShard(store: ObjectStore, shard: DatasetShard, cache: ShardCache): Promise<OpenShard> {
  const name = `${store.url}/${shard.file}`;
  const file = store.filePath
    ? await openInPlace(store.filePath(shard.file), name, shard.sha256)
    : await cache.open(store, shard);
  try {
    const places = await indexShard(readFrom(file.handle));
    if (places.length !== shard.samples) {
      const numbers = `${places.length} samples, the manifest says ${shard.samples}`;
      throw new FourfoldError('corrupt', `${name}: it has ${numbers}`);
    }
    return {
      async read(index) {
        const { offset, sizeBytes, ...sample } = places[index];
        const bytes = Buffer.alloc(sizeBytes);
        const { bytesRead } = await file.handle.read(bytes, 0, sizeBytes, offset).catch((cause: unknown) => {
          throw storageError(name, 'read', cause);
        });
        if (bytesRead !== sizeBytes) throw new FourfoldError('corrupt', `${name}: it was truncated while in use`);
        return { ...sample, bytes };
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openInPlace(path: string, name: string, sha256: string): Promise<HeldFile> {
  const unreadable = (cause: unknown) => {
    throw storageError(name, 'read', cause);
  };
  const handle = await open(path).catch(unreadable);
  try {
    const actual = await hashFile(handle).catch(unreadable);
    if (actual !== sha256) throw damagedError(name, actual, sha256);
    return { handle, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
