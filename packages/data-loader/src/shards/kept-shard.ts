import { FourfoldError } from '@fourfold/common';
import { storageError, type ObjectStore } from '@fourfold/store';
import type { DatasetShard } from '../prepare/manifest.js';
import { readFrom } from './held-file.js';
import type { ShardCache } from './shard-cache.js';
import { openShardFile, truncatedError } from './shard-file.js';
import { indexShard, type StoredSample } from './shard.js';

/** An open shard of encoding `keep`. */
export interface KeptShard {
  /** A sample by its index, from 0. */
  read(index: number): Promise<StoredSample>;
  close(): Promise<void>;
}

/** Open a shard of encoded pictures, verified. Throws as `openShardFile` does. */
export function openKeptShard(store: ObjectStore, shard: DatasetShard, cache: ShardCache): Promise<KeptShard> {
  return openShardFile({ store, shard, cache }, async ({ name, handle, close }) => {
    const places = await indexShard(readFrom(handle));
    if (places.length !== shard.samples) {
      const numbers = `${places.length} samples, the manifest says ${shard.samples}`;
      throw new FourfoldError('corrupt', `${name}: it has ${numbers}`);
    }
    return {
      async read(index) {
        const { offset, sizeBytes, ...sample } = places[index];
        const bytes = Buffer.alloc(sizeBytes);
        const { bytesRead } = await handle.read(bytes, 0, sizeBytes, offset).catch((cause: unknown) => {
          throw storageError(name, 'read', cause);
        });
        if (bytesRead !== sizeBytes) throw truncatedError(name);
        return { ...sample, bytes };
      },
      close,
    };
  });
}
