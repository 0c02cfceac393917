import type { DataConfig } from '@fourfold/common';
import type { ObjectStore } from '@fourfold/store';
import type { DatasetManifest } from '../prepare/manifest.js';
import type { CacheStats } from '../shards/async-cache.js';
import type { PairTarget } from './crop-pair.js';
import type { CropKey } from './sample-order.js';
import type { StageSeconds } from './stages.js';

export interface CropsStats {
  /** Shards opened, requests served by an open shard, and shards held open. */
  shards: CacheStats;
  /** Pictures decoded, requests served from the cache, and decoded bytes held; none of a dataset of pixels. */
  pictures: CacheStats;
  seconds: StageSeconds;
}

/** Cuts the training pairs of a dataset; there is one way for each encoding. */
export interface Crops {
  /** Cut the pair of each key into the target of the same index. */
  fill(keys: readonly CropKey[], targets: readonly PairTarget[]): Promise<void>;
  stats(): CropsStats;
  /** Release everything held. */
  clear(): void;
}

export interface CropsOptions {
  /** Where the dataset is. */
  store: ObjectStore;
  manifest: DatasetManifest;
  data: DataConfig;
  seed: number;
  /** How many shards are held open. */
  openShards: number;
  /** Limit of the cache of decoded pictures. */
  pictureCacheBytes: number;
}
