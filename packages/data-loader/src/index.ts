export {
  cropPicture,
  cropToMultiple,
  decodePicture,
  emptyFile,
  encodePng,
  encodeWebp,
  isTooLarge,
  withName,
  readPicture,
  tooLargeToDecode,
  type Picture,
  type Rectangle,
} from './picture.js';
export { decoderVersion } from './decoder-version.js';
export { formatsRead, isPictureName, otherFormat } from './picture-formats.js';
export { downscale, resizeBy, resizeTo, type Kernel } from './imresize.js';
export { listCache, userCacheFolder } from './cache-folder.js';
export { listPictures } from './list-pictures.js';
export { datasetDigest, readDatasetManifest, type DatasetManifest } from './manifest.js';
export { addBatchRequestMetrics, addBatchSourceMetrics } from './batch-metrics.js';
export { tryShardCache } from './cache-trial.js';
export { createBatchSource, type Batch, type BatchSource, type BatchSourceStats } from './batch-source.js';
export { openSource } from './sources/open-source.js';
export { digestOf, openMeasuredSet, type MeasuredSet } from './sources/measured-set.js';
export type { OnListing, Source, SourceFile } from './sources/source.js';
export { choosePhotographs, parts, type Chosen, type Part } from './sources/layouts.js';
export {
  prepare,
  prepareDefaults,
  type PrepareOptions,
  type PrepareProgress,
  type PairsReport,
  type PrepareReport,
} from './prepare.js';
export { removeDataset } from './remove-dataset.js';
export { connectBatchSource, type NatsBatchSource, type NatsBatchSourceOptions } from './nats/nats-batch-source.js';
export type { BatchRequestStats } from './nats/ask-loaders.js';
export { runDataLoader, type DataLoaderOptions } from './data-loader.js';
