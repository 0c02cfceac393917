import type { GeneratorConfig } from '@fourfold/common';
import { kernels } from '../kernels/kernels.js';
import type { Network } from '../networks/networks.js';
import { uploadLr } from '../networks/transfer.js';

/** 8-bit RGB pixels, row by row. */
export interface Picture {
  data: Uint8Array;
  width: number;
  height: number;
}

/** How a picture is cut for upscaling, in pixels of the input picture. */
export interface Tiling {
  /** Side of the squares that are upscaled one after the other; bounds the memory. */
  tile: number;
  /** Margin of neighbouring pixels that a tile is computed with; it is cut off afterwards. */
  overlap: number;
}

/**
 * Pixels farther away than this have no visible effect. Measured with 16 blocks of 64 channels on noise, with its statistics in the
 * batch norms: without them SR changes by at most 9 grey levels at 12 pixels, 0.6 at 16, 0.02 at 20, 0.001 at 24. With the trained
 * generator of examples/srresnet-mse (16 blocks, which see 40 pixels), on three photographs in tiles of 64: by up to 3 grey levels at
 * 8 pixels and 1 from 12 on; at 24 in at most 10 of 1,179,648 values, which may be rounding alone: at 40 it is 1 value.
 */
const influencePixels = 24;

/**
 * Overlap at which no seam shows. A generator of up to 8 blocks sees no farther than this, and its tiles equal the whole
 * picture: 4 pixels for the first convolution, 2 per block, 4 for the rest.
 */
export const tileOverlap = ({ blocks }: GeneratorConfig): number => Math.min(4 + 2 * blocks + 4, influencePixels);

/**
 * Upscale to four times the width and height, 8-bit RGB. The generator is in inference mode: batch norms use the running
 * averages.
 */
export function upscalePicture(generator: Network, picture: Picture, tiling: Tiling): Picture {
  const tiles = upscaleTiles(generator, picture, tiling);
  for (;;) {
    const { done, value } = tiles.next();
    if (done) return value;
  }
}

/** The same, with a pause after each tile. */
export function* upscaleTiles(generator: Network, picture: Picture, tiling: Tiling): Generator<void, Picture> {
  const { width, height } = picture;
  const result = { data: new Uint8Array(3 * 16 * width * height), width: 4 * width, height: 4 * height };
  for (let top = 0; top < height; top += tiling.tile) {
    for (let left = 0; left < width; left += tiling.tile) {
      const place = {
        left,
        top,
        right: Math.min(left + tiling.tile, width),
        bottom: Math.min(top + tiling.tile, height),
      };
      upscaleTile(generator, picture, place, tiling.overlap, result);
      yield;
    }
  }
  return result;
}

interface Rectangle {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Upscale one tile with its margin and write its inside to `result`. */
function upscaleTile(
  { layer, parameters }: Network,
  picture: Picture,
  tile: Rectangle,
  margin: number,
  result: Picture,
) {
  const seen = {
    left: Math.max(tile.left - margin, 0),
    top: Math.max(tile.top - margin, 0),
    right: Math.min(tile.right + margin, picture.width),
    bottom: Math.min(tile.bottom + margin, picture.height),
  };
  const shape: [number, number, number, number] = [1, seen.bottom - seen.top, seen.right - seen.left, 3];
  const lr = uploadLr(cut(picture, seen), shape);
  const [sr] = layer(parameters, lr, { saves: false });
  lr.dispose();
  const values = new Float32Array(sr.size);
  kernels().download(sr, values);
  sr.dispose();
  const rowLength = 3 * 4 * shape[2];
  for (let row = 4 * tile.top; row < 4 * tile.bottom; row++) {
    const from = (row - 4 * seen.top) * rowLength + 3 * 4 * (tile.left - seen.left);
    const to = 3 * (row * result.width + 4 * tile.left);
    const length = 3 * 4 * (tile.right - tile.left);
    for (let i = 0; i < length; i++) result.data[to + i] = levelOf(values[from + i]);
  }
}

/** Nearest 8-bit grey level of a value in [-1, 1]; values outside are clipped. */
const levelOf = (value: number): number => Math.min(Math.max(Math.round((value + 1) * 127.5), 0), 255);

function cut({ data, width }: Picture, { left, top, right, bottom }: Rectangle): Uint8Array {
  const rowLength = 3 * (right - left);
  const pixels = new Uint8Array(rowLength * (bottom - top));
  for (let row = top; row < bottom; row++) {
    const start = 3 * (row * width + left);
    pixels.set(data.subarray(start, start + rowLength), (row - top) * rowLength);
  }
  return pixels;
}
