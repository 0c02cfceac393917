export { cropToMultiple, decodePicture, encodePng, readPicture, type Picture, type Rectangle } from './picture.js';
export { downscale, resizeBy, resizeTo, type Kernel } from './imresize.js';
export { listPictures } from './list-pictures.js';
export { datasetDigest, readDatasetManifest, type DatasetManifest } from './manifest.js';
export { createBatchSource, type Batch, type BatchSource, type BatchSourceStats } from './batch-source.js';
export { prepare, prepareDefaults, type PrepareOptions, type PrepareProgress, type PrepareReport } from './prepare.js';
