import tf = require('@tensorflow/tfjs-core');
import type { Picture, Rectangle } from '@fourfold/common/basics';
import { cutReflected, squares, surroundings } from './surroundings.js';
import type { Network } from '../networks/networks.js';
import { uploadLr } from '../networks/transfer.js';
import { inResult, paste, pixelsOf, roomFor } from './pixels.js';

/** How a picture is cut for upscaling, in pixels of the input picture. */
export interface Tiling {
  /** Side of the squares that are upscaled one after the other; bounds the memory. */
  tile: number;
  /** Margin of neighbouring pixels that a tile is computed with; it is cut off afterwards. */
  overlap: number;
}

/**
 * Upscale to four times the width and height, 8-bit RGB, with a pause after each tile and zeros around the picture. The generator is in
 * inference mode: batch norms use the running averages. Validation in training measures with it; `createUpscaler` is faster, but may
 * round other values another way.
 */
export async function* upscaleTiles(
  generator: Network,
  picture: Picture,
  tiling: Tiling,
): AsyncGenerator<void, Picture> {
  const { width, height } = picture;
  const result = roomFor(picture);
  for (const region of squares({ left: 0, top: 0, width, height }, tiling.tile)) {
    paste(await upscaleRegion(generator, picture, region, tiling), result, 4 * region.left, 4 * region.top);
    yield;
  }
  return result;
}

/** Upscale a region of a picture, all at once. */
async function upscaleRegion(
  { layer, parameters }: Network,
  picture: Picture,
  region: Rectangle,
  { overlap }: Tiling,
): Promise<Picture> {
  const seen = surroundings(picture, region, overlap, 'zeros');
  const sr = tf.tidy(() => {
    const lr = uploadLr(cutReflected(picture, seen), [1, seen.height, seen.width, 3]);
    const [result] = layer(parameters, lr, { saves: false });
    // The result needs room of its own.
    lr.dispose();
    return result;
  });
  return pixelsOf(sr, inResult(region, seen));
}
