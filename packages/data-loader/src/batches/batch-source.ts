import { createLogger, FourfoldError, type DataConfig } from '@fourfold/common';
import type { ObjectStore } from '@fourfold/store';
import type { CropsOptions, CropsStats } from './crops.js';
import type { DatasetManifest } from '../prepare/manifest.js';
import { createBatch, pairsOf, type Batch } from './batch.js';
import { readMargin } from './crop-pair.js';
import { createKeptCrops } from './kept-crops.js';
import { createPixelCrops } from './pixel-crops.js';
import { createSampleOrder, replicaPositions, shardsInWindow } from './sample-order.js';

/** Makes batches. Everything it holds is a cache. */
export interface BatchSource {
  /**
   * The batch of a replica (from 0) at an iteration (from 0): a pure function of the seed, the manifest and the data
   * config. Throws `corrupt` for a damaged shard, and the signal's reason once it is aborted.
   */
  batch(iteration: number, replica: number, signal?: AbortSignal): Promise<Batch>;
  /** Take back a batch that nobody reads any more: the next one is made in its memory. */
  reuse(this: void, batch: Batch): void;
  stats(): BatchSourceStats;
  /** Release everything held. */
  close(): void;
}

export interface BatchSourceStats extends CropsStats {
  /** Training pairs made. */
  crops: number;
}

export type BatchSourceOptions = Omit<CropsOptions, 'openShards' | 'pictureCacheBytes'> &
  Partial<Pick<CropsOptions, 'pictureCacheBytes'>>;

/** A window of 500 pictures of 400x400 fits. */
const usualPictureCacheBytes = 256 * 2 ** 20;

/** Memory of batches that is kept for the next ones. */
const longestSpare = 8;

/**
 * Batches from the shards of a dataset. Shards are files; those of an object store are in a local cache. They are opened in
 * the order in which they are needed, and at most one more is held open than a window can touch. Throws `invalid` if the data config
 * asks for what the dataset cannot give.
 */
export function createBatchSource(options: BatchSourceOptions): BatchSource {
  const { store, manifest, data, seed, pictureCacheBytes = usualPictureCacheBytes } = options;
  checkDataset(store, manifest, data);
  const tooSmall = whyCacheTooSmall(store, manifest, data);
  if (tooSmall !== undefined) createLogger('data-loader').warn({ event: 'cache-too-small' }, tooSmall);
  const { crop, windowPictures, cropsPerPicture } = data;
  const shardSamples = manifest.shards.map((shard) => shard.samples);
  const order = createSampleOrder({ seed, shardSamples, windowPictures, cropsPerPicture });
  const openShards = shardsInWindow(shardSamples, windowPictures) + 1;
  const createCrops = manifest.encoding === 'pixels' ? createPixelCrops : createKeptCrops;
  const crops = createCrops({ store, manifest, data, seed, openShards, pictureCacheBytes });
  const spare: Batch[] = [];
  let made = 0;
  return {
    async batch(iteration, replica, signal) {
      signal?.throwIfAborted();
      const keys = replicaPositions(data, iteration, replica).map((position) => order.at(position));
      const batch = spare.pop() ?? createBatch(keys.length, crop);
      await crops.fill(keys, pairsOf(batch));
      signal?.throwIfAborted();
      made += keys.length;
      return batch;
    },
    reuse(batch) {
      if (spare.length < longestSpare) spare.push(batch);
    },
    stats: () => ({ ...crops.stats(), crops: made }),
    close: () => crops.clear(),
  };
}

/** Why a window's shards may not fit into the cache of shards; undefined if they do, or if the shards are read in place. */
export function whyCacheTooSmall(store: ObjectStore, manifest: DatasetManifest, data: DataConfig): string | undefined {
  if (store.filePath) return undefined;
  const shards = shardsInWindow(
    manifest.shards.map(({ samples }) => samples),
    data.windowPictures,
  );
  const largest = manifest.shards.map(({ sizeBytes }) => sizeBytes).sort((a, b) => b - a);
  const windowBytes = largest.slice(0, shards).reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  if (windowBytes <= data.cacheBytes) return undefined;
  const reason = `a window of ${data.windowPictures} pictures may lie in ${shards} shards of ${windowBytes} bytes`;
  return `data.cacheBytes is ${data.cacheBytes}, but ${reason}: raise it, or lower data.windowPictures`;
}

/** Throw `invalid` if a dataset cannot give the crops that a config asks for. */
export function checkDataset(store: ObjectStore, manifest: DatasetManifest, data: DataConfig): void {
  const { minimumSide, tile } = manifest;
  if (data.crop > minimumSide) {
    const reason = `was prepared with pictures of at least ${minimumSide} pixels a side (--minimum-side), which may be smaller`;
    const hint = `set data.crop to at most ${minimumSide}, or prepare the pictures again with --minimum-side ${data.crop}, which leaves smaller ones out`;
    throw new FourfoldError('invalid', `data.crop is ${data.crop}: dataset ${store.url} ${reason}`, { hint });
  }
  if (manifest.lr === 'given' && data.blurSigma > 0) {
    const reason = `data.blurSigma ${data.blurSigma} makes LR of HR, but its LR pictures are given`;
    throw new FourfoldError('invalid', `dataset ${store.url}: ${reason}`, { hint: 'set data.blurSigma to 0' });
  }
  const margin = readMargin(data.blurSigma);
  if (tile && margin > tile.margin) {
    const reason = `it reads ${margin} pixels around a crop, but the tiles of dataset ${store.url} carry ${tile.margin}`;
    const hint = 'set data.blurSigma to at most 1, or prepare the pictures again without --tile';
    throw new FourfoldError('invalid', `data.blurSigma is ${data.blurSigma}: ${reason}`, { hint });
  }
}
