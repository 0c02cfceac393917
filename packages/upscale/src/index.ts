/*
 * A trained generator, read and put to work in two lines. This is the entry for Node.js; browser.ts is the one for browsers, which the
 * build bundles into one file without imports.
 *
 * - types.ts      what programs see
 * - generator.ts  weights from a file's bytes; fetched.ts, from a URL; place.ts, from a path
 * - model.ts      the generator at work: turns, pauses, progress
 * - pixels.ts     pixels that programs give
 */

export { encodePicture, writePicture, type PictureFormat } from './write-picture.js';
export { readModel } from './node.js';
export type * from './types.js';
