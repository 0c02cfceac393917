import type { Picture, Rectangle } from '@fourfold/common/basics';
import { cutReflected, squares, surroundings } from './surroundings.js';
import type { Network } from '../networks/networks.js';
import { uploadLr } from '../networks/transfer.js';
import { inResult, paste, pixelsOf, roomFor, withoutTensors } from './pixels.js';

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
export function* upscaleTiles(generator: Network, picture: Picture, tiling: Tiling): Generator<void, Picture> {
  const { width, height } = picture;
  const result = roomFor(picture);
  for (const region of squares({ left: 0, top: 0, width, height }, tiling.tile)) {
    paste(upscaleRegion(generator, picture, region, tiling), result, 4 * region.left, 4 * region.top);
    yield;
  }
  return result;
}

/** Upscale a region of a picture, all at once. */
function upscaleRegion(
  { layer, parameters }: Network,
  picture: Picture,
  region: Rectangle,
  { overlap }: Tiling,
): Picture {
  const seen = surroundings(picture, region, overlap, 'zeros');
  return withoutTensors(() => {
    const lr = uploadLr(cutReflected(picture, seen), [1, seen.height, seen.width, 3]);
    const [sr] = layer(parameters, lr, { saves: false });
    // The result needs room of its own.
    lr.dispose();
    return pixelsOf(sr, inResult(region, seen));
  });
}
