import { FourfoldError } from '@fourfold/common/basics';
import { cropToMultiple, type Picture } from './picture.js';
import { downscale } from './imresize.js';
import { psnrY, ssimY } from './metrics.js';

/** PSNR in dB (at most `highestPsnr`) and SSIM of one picture, on Y without a 4-pixel border. */
export interface Scores {
  psnr: number;
  ssim: number;
  /** Perceptual distance of the whole picture, where it was measured; lower is nearer. */
  lpips?: number;
}

/** An original must be this large, in pixels a side, for SSIM's window to fit inside the border. */
const smallestSide = 20;

/** Throw `invalid` with only the reason for a picture that is too small to measure on. */
export function checkMeasurable({ width, height }: Pick<Picture, 'width' | 'height'>): void {
  if (Math.min(width, height) >= smallestSide) return;
  const sizes = `${width}x${height}, both sides must be at least ${smallestSide}`;
  throw new FourfoldError('invalid', `too small to measure: ${sizes}`);
}

/** What an original is measured with: its crop to multiples of 4, and the crop's LR. Throws `invalid` for a picture too small. */
export function lrAndHr(original: Picture): { lr: Picture; hr: Picture } {
  checkMeasurable(original);
  const hr = cropToMultiple(original, 4);
  return { lr: downscale(hr, 0), hr };
}

/**
 * Crop an original to multiples of 4, make its LR picture, let `upscale` bring that back to 4 times its size, and
 * measure against the crop `hr` (design, section 4). Throws `invalid` with only the reason for a picture too small.
 */
export async function evaluatePicture(
  original: Picture,
  upscale: (lr: Picture, hr: Picture) => Picture | Promise<Picture>,
): Promise<Scores> {
  const { lr, hr } = lrAndHr(original);
  return scoresAgainst(hr, await upscale(lr, hr));
}

/** How near a picture is to the original of the same size. */
export const scoresAgainst = (hr: Picture, sr: Picture): Scores => ({
  psnr: psnrY(sr.data, hr.data, hr.width, hr.height),
  ssim: ssimY(sr.data, hr.data, hr.width, hr.height),
});
