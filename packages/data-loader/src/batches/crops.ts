import type { DataConfig } from '@fourfold/common';
import type { ObjectStore } from '@fourfold/store';
import type { DatasetManifest } from '../prepare/manifest.js';
import type { CacheStats } from '../shards/async-cache.js';
import type { PairTarget } from './crop-pair.js';
import type { CropKey } from './sample-order.js';

/** Cuts the training pairs of a dataset; there is one way for each encoding. */
export interface Crops {
  /** Cut the pair of each key into the target of the same index. */
  fill(keys: readonly CropKey[], targets: readonly PairTarget[]): Promise<void>;
  stats(): { shards: CacheStats; pictures: CacheStats };
  /** Release everything held. */
  clear(): void;
}

export interface CropsOptions {
  store: ObjectStore;
  manifest: DatasetManifest;
  data: DataConfig;
  seed: number;
  /** How many shards are held open. */
  openShards: number;
}
