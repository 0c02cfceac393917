import type { GeneratorConfig } from '@fourfold/common';
import { reflected, type Picture, type Rectangle } from '@fourfold/common/basics';

/**
 * What a generator sees beyond a picture's edges: `zeros`, as in training, where convolutions pad crops with them, or the picture's
 * `reflection`, which keeps the colours at the edges.
 */
export type Border = 'zeros' | 'reflection';

/**
 * Pixels of reflection around a picture; zeros follow. Measured with examples/srresnet-mse: a flat picture and a single pixel keep their
 * colours within 1 grey level from 8 pixels on, and PSNR no longer changes (docs/decisions.md).
 */
const reflectedPixels = 8;

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

/** Squares of at most `side` pixels that cover a region, in rows from the top; the last ones of a row or column may be smaller. */
export function squares({ left, top, width, height }: Rectangle, side: number): Rectangle[] {
  const begins = (length: number) => Array.from({ length: Math.ceil(length / side) }, (_, i) => i * side);
  return begins(height).flatMap((y) =>
    begins(width).map((x) => ({
      left: left + x,
      top: top + y,
      width: Math.min(side, width - x),
      height: Math.min(side, height - y),
    })),
  );
}

/** A region with up to `margin` pixels around it: as far as the picture goes and, if it is reflected, a little beyond. */
export function surroundings(
  picture: Pick<Picture, 'width' | 'height'>,
  region: Rectangle,
  margin: number,
  border: Border,
): Rectangle {
  const beyond = border === 'zeros' ? 0 : Math.min(margin, reflectedPixels);
  const left = Math.max(region.left - margin, 0 - beyond);
  const top = Math.max(region.top - margin, 0 - beyond);
  const right = Math.min(region.left + region.width + margin, picture.width + beyond);
  const bottom = Math.min(region.top + region.height + margin, picture.height + beyond);
  return { left, top, width: right - left, height: bottom - top };
}

/** Copy a region's pixels. Beyond the picture's edges they are its reflection, with the pixels at the edge repeated. */
export function cutReflected({ data, width, height }: Picture, region: Rectangle): Uint8Array {
  const right = region.left + region.width;
  const inside = { left: Math.max(region.left, 0), right: Math.min(right, width) };
  const pixels = new Uint8Array(3 * region.width * region.height);
  for (let row = 0, to = 0; row < region.height; row++) {
    const line = reflected(region.top + row, height) * width;
    const copyPixel = (x: number) => {
      const from = 3 * (line + reflected(x, width));
      pixels[to++] = data[from];
      pixels[to++] = data[from + 1];
      pixels[to++] = data[from + 2];
    };
    for (let x = region.left; x < inside.left; x++) copyPixel(x);
    pixels.set(data.subarray(3 * (line + inside.left), 3 * (line + inside.right)), to);
    to += 3 * (inside.right - inside.left);
    for (let x = inside.right; x < right; x++) copyPixel(x);
  }
  return pixels;
}
