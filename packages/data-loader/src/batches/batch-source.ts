import { FourfoldError, type DataConfig } from '@fourfold/common';
import type { ObjectStore } from '@fourfold/store';
import { createAsyncCache, type CacheStats } from '../shards/async-cache.js';
import { cropPair, cropPlace, readMargin } from './crop-pair.js';
import type { DatasetManifest, SampleInfo } from '../prepare/manifest.js';
import { decodePlain, type Picture } from '@fourfold/imaging';
import { createSampleOrder, replicaPositions, shardsInWindow, type CropKey } from './sample-order.js';
import { createShardCache } from '../shards/shard-cache.js';
import { openShard } from '../shards/shard-file.js';

/** The training pairs of one replica at one iteration: `count` crops end to end, each NHWC uint8 RGB. */
export interface Batch {
  count: number;
  /** Side of an HR crop in pixels. */
  crop: number;
  /** [count, crop, crop, 3] */
  hr: Uint8Array;
  /** [count, crop / 4, crop / 4, 3] */
  lr: Uint8Array;
}

/** Makes batches. Everything it holds is a cache. */
export interface BatchSource {
  /**
   * The batch of a replica (from 0) at an iteration (from 0): a pure function of the seed, the manifest and the data
   * config. Throws `corrupt` for a damaged shard, and the signal's reason once it is aborted.
   */
  batch(iteration: number, replica: number, signal?: AbortSignal): Promise<Batch>;
  stats(): BatchSourceStats;
  /** Release everything held. */
  close(): void;
}

export interface BatchSourceStats {
  /** Shards opened, requests served by an open shard, and shards held open. */
  shards: CacheStats;
  /** Pictures decoded, requests served from the cache, and decoded bytes held. */
  pictures: CacheStats;
  /** Training pairs made. */
  crops: number;
}

export interface BatchSourceOptions {
  /** Where the dataset is. */
  store: ObjectStore;
  manifest: DatasetManifest;
  data: DataConfig;
  seed: number;
}

/** Limit of the cache of decoded pictures, in bytes; a window of 500 pictures of 400x400 fits. */
const pictureCacheBytes = 256 * 2 ** 20;

/**
 * Batches from the shards of a dataset. Shards are files; those of an object store are in a local cache. They are opened in
 * the order in which they are needed, and at most one more is held open than a window can touch. Memory holds only decoded
 * pictures. Throws `invalid` if the data config asks for what the dataset cannot give.
 */
export function createBatchSource({ store, manifest, data, seed }: BatchSourceOptions): BatchSource {
  checkDataset(store, manifest, data);
  const { crop, windowPictures, cropsPerPicture, blurSigma } = data;
  const shardSamples = manifest.shards.map((shard) => shard.samples);
  const order = createSampleOrder({ seed, shardSamples, windowPictures, cropsPerPicture });
  const shardCache = createShardCache(data);
  const shards = createAsyncCache({
    load: (index) => openShard(store, manifest.shards[Number(index)], shardCache),
    sizeOf: () => 1,
    dispose: (shard) => void shard.close(),
    limit: shardsInWindow(shardSamples, windowPictures) + 1,
  });
  const pictures = createAsyncCache({
    load: async (key) => {
      const [shard, sample] = key.split('/').map(Number);
      const { key: name, bytes, info } = await shards.use(String(shard), (open) => open.read(sample));
      return { info, picture: await decodeStored(bytes, `${store.url}/${manifest.shards[shard].file}, ${name}`) };
    },
    sizeOf: ({ picture }: { info: SampleInfo; picture: Picture }) => picture.data.length,
    limit: pictureCacheBytes,
  });
  let crops = 0;
  const pairOf = async (key: CropKey) => {
    const { info, picture } = await pictures.get(`${key.shard}/${key.sample}`);
    return cropPair(picture, cropPlace(seed, key, info.core, data), crop, blurSigma);
  };
  return {
    async batch(iteration, replica, signal) {
      signal?.throwIfAborted();
      const keys = replicaPositions(data, iteration, replica).map((position) => order.at(position));
      const hr = new Uint8Array(keys.length * crop * crop * 3);
      const lr = new Uint8Array(hr.length / 16);
      await Promise.all(
        keys.map(async (key, i) => {
          const pair = await pairOf(key);
          hr.set(pair.hr.data, i * pair.hr.data.length);
          lr.set(pair.lr.data, i * pair.lr.data.length);
        }),
      );
      signal?.throwIfAborted();
      crops += keys.length;
      return { count: keys.length, crop, hr, lr };
    },
    stats: () => ({ shards: shards.stats(), pictures: pictures.stats(), crops }),
    close() {
      shards.clear();
      pictures.clear();
    },
  };
}

function checkDataset(store: ObjectStore, manifest: DatasetManifest, data: DataConfig): void {
  const { minimumSide, tile } = manifest;
  if (data.crop > minimumSide) {
    const reason = `crops of ${data.crop} pixels do not fit pictures of ${minimumSide}`;
    const hint = `set data.crop to at most ${minimumSide}, or prepare the dataset with a larger --minimum-side`;
    throw new FourfoldError('invalid', `dataset ${store.url}: ${reason}`, { hint });
  }
  const margin = readMargin(data.blurSigma);
  if (tile && margin > tile.margin) {
    const reason = `data.blurSigma ${data.blurSigma} reads ${margin} pixels around a crop, but its tiles carry ${tile.margin}`;
    const hint = 'set data.blurSigma to at most 1, or prepare the dataset without --tile';
    throw new FourfoldError('invalid', `dataset ${store.url}: ${reason}`, { hint });
  }
}

async function decodeStored(bytes: Uint8Array, name: string): Promise<Picture> {
  return decodePlain(bytes).catch((cause: unknown) => {
    throw new FourfoldError('corrupt', `${name}: it cannot be decoded`, { cause });
  });
}
