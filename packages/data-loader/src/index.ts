/*
 * Batches of training pairs from datasets.
 *
 * - data-loader.ts  a data-loader's life
 * - sources/        photographs where people have them: folders, archives, buckets
 * - prepare/        photographs into a dataset of shards
 * - shards/         shards, opened in place or through this machine's cache, and what is deleted when that is full
 * - batches/        which samples a batch has (sample-order.ts), where a crop is drawn and how it is cut (crop-pair.ts), from encoded
 *                   pictures (kept-crops.ts) or from pixels (pixel-crops.ts)
 * - nats/           batches asked for and sent over NATS; @fourfold/data-loader/nats is the worker's side
 */

export { addBatchRequestMetrics, addBatchSourceMetrics } from './batches/batch-metrics.js';
export { type Batch } from './batches/batch.js';
export { type BatchSource, type BatchSourceStats, checkDataset, createBatchSource } from './batches/batch-source.js';
export { runDataLoader } from './data-loader.js';
export { type DatasetManifest, type Encoding, encodings, readDatasetManifest } from './prepare/manifest.js';
export { type PairsReport, type PrepareReport, prepare, prepareDefaults } from './prepare/prepare.js';
export { removeDataset } from './prepare/remove-dataset.js';
export { listCache, userCacheFolder } from './shards/cache-folder.js';
export { tryShardCache } from './shards/cache-trial.js';
export { type Chosen, type Part, parts } from './sources/layouts.js';
export { type MeasuredSet, digestOf, openMeasuredSet } from './sources/measured-set.js';
export { type SourceFile } from './sources/source.js';
