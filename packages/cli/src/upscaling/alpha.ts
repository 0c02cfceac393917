import { cropPicture, resizeBy, type Rectangle } from '@fourfold/imaging';

/** 8-bit opacity, row by row. */
interface Opacity {
  alpha: Uint8Array;
  width: number;
  height: number;
}

/** Pixels around a region that bicubic reads, rounded up. */
const margin = 4;

/** Upscale the opacity of a region to 4 times its width and height, by bicubic. */
export function upscaleAlpha({ alpha, width, height }: Opacity, region: Rectangle): Uint8Array {
  const left = Math.max(region.left - margin, 0);
  const top = Math.max(region.top - margin, 0);
  const seen = {
    width: Math.min(region.left + region.width + margin, width) - left,
    height: Math.min(region.top + region.height + margin, height) - top,
  };
  // As the three equal channels of a picture.
  const data = new Uint8Array(3 * seen.width * seen.height);
  for (let y = 0, to = 0; y < seen.height; y++) {
    for (let x = 0; x < seen.width; x++, to += 3) data.fill(alpha[(top + y) * width + left + x], to, to + 3);
  }
  const { data: upscaled } = cropPicture(resizeBy({ data, ...seen }, 4, 'cubic'), {
    left: 4 * (region.left - left),
    top: 4 * (region.top - top),
    width: 4 * region.width,
    height: 4 * region.height,
  });
  return Uint8Array.from({ length: upscaled.length / 3 }, (_, i) => upscaled[3 * i]);
}
