/*
 * Pictures: read (picture.ts), resized as MATLAB's imresize does (imresize.ts, its weights
 * in contributions.ts, and whole-weights.ts for those that WebAssembly adds in integers), cut into tiles (tiles.ts), and measured by PSNR
 * and SSIM on Y (metrics.ts, evaluation.ts).
 */

export { decoderVersion } from './decoder-version.js';
export { type Scores, checkMeasurable, evaluatePicture, lrAndHr, scoresAgainst } from './evaluation.js';
export { type Kernel } from './contributions.js';
export { blurRadius, downscale, resizeBy } from './imresize.js';
export { listFiles, listPictures } from './list-pictures.js';
export { formatsRead, isPictureName, otherFormat, whyNoPicture } from './picture-formats.js';
export {
  type Picture,
  type Rectangle,
  cropPicture,
  cropToMultiple,
  decodePicture,
  decodePlain,
  emptyFile,
  encodePng,
  encodeWebp,
  isTooLarge,
  readHeader,
  readPicture,
  tooLargeToDecode,
  withName,
} from './picture.js';
export { type PlainPng, inflateRegion, readPlainPng } from './unfiltered-png.js';
export { cutTiles, smallestTile, tileMargin } from './tiles.js';
