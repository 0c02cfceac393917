import { cropPicture, resizeBy, type Picture, type Rectangle } from '@fourfold/imaging';
import type { Steps } from '../pauses.js';
import type { Scale } from './scales.js';

/** Work on a region of an 8-bit RGB picture that makes it 4 times as wide and high; yields the work done, in LR pixels. */
export type UpscaleRegion = (lr: Picture, region: Rectangle) => Steps<number, Picture>;

/** LR pixels around a region whose 4 SR pixels MATLAB's bicubic reads when it shrinks by 1/2 or 3/4. */
const shrinkingMargin = 1;

/** LR pixels around a region that bicubic reads when it enlarges, rounded up. */
const enlargingMargin = 4;

/** Upscale a region by `scale`: by the generator to 4 times its size, then by MATLAB's bicubic to a smaller one. */
export async function* scaledRegion(
  lr: Picture,
  region: Rectangle,
  scale: Scale,
  upscale: UpscaleRegion,
): AsyncGenerator<number, Picture> {
  if (scale === 4) return yield* upscale(lr, region);
  const seen = widened(region, shrinkingMargin, lr);
  const sr = yield* upscale(lr, seen);
  return cropPicture(resizeBy(sr, scale / 4, 'cubic'), inScaled(region, seen, scale));
}

/** 8-bit opacity, row by row. */
interface Opacity {
  alpha: Uint8Array;
  width: number;
  height: number;
}

/** Enlarge the opacity of a region, by bicubic. */
export function scaledOpacity({ alpha, width, height }: Opacity, region: Rectangle, scale: Scale): Uint8Array {
  const seen = widened(region, enlargingMargin, { width, height });
  // As the three equal channels of a picture.
  const data = new Uint8Array(3 * seen.width * seen.height);
  for (let y = 0, to = 0; y < seen.height; y++) {
    const line = (seen.top + y) * width + seen.left;
    for (let x = 0; x < seen.width; x++, to += 3) data.fill(alpha[line + x], to, to + 3);
  }
  const enlarged = resizeBy({ data, width: seen.width, height: seen.height }, scale, 'cubic');
  const { data: levels } = cropPicture(enlarged, inScaled(region, seen, scale));
  return Uint8Array.from({ length: levels.length / 3 }, (_, i) => levels[3 * i]);
}

/** A region with `margin` pixels around it, as far as the picture goes. */
export function widened(
  { left, top, width, height }: Rectangle,
  margin: number,
  picture: { width: number; height: number },
): Rectangle {
  const begin = { left: Math.max(left - margin, 0), top: Math.max(top - margin, 0) };
  return {
    ...begin,
    width: Math.min(left + width + margin, picture.width) - begin.left,
    height: Math.min(top + height + margin, picture.height) - begin.top,
  };
}

/** Where a region is in what was seen for it, `scale` times as large. */
const inScaled = ({ left, top, width, height }: Rectangle, seen: Rectangle, scale: number): Rectangle => ({
  left: scale * (left - seen.left),
  top: scale * (top - seen.top),
  width: scale * width,
  height: scale * height,
});
