import { basename, extname } from 'node:path';
import type { LpipsChoice } from '@fourfold/common';
import type { SetEvaluation } from '../evaluation/evaluate-sets.js';

/** A place in the plane: mean PSNR in dB and LPIPS of a way of upscaling. */
export interface PlanePoint {
  name: string;
  psnr: number;
  ssim?: number;
  lpips: number;
  /** Published points were measured earlier, by other software on the same pictures. */
  kind: 'measured' | 'blend' | 'published';
  /** The second generator's share of a blend. */
  alpha?: number;
}

/** What others reach on these four photographs of scikit-image, LPIPS by AlexNet, measured on 2026-11-28. */
const published = {
  pictures: ['astronaut', 'chelsea', 'coffee', 'rocket'],
  network: 'alex' satisfies LpipsChoice,
  points: [
    { name: 'UpscalerJS esrgan-thick', psnr: 29.69, lpips: 0.298 },
    { name: 'Real-ESRGAN x4plus', psnr: 27.79, lpips: 0.189 },
    { name: 'RealSR DF2K', psnr: 28.96, lpips: 0.095 },
  ],
};

/** The points that were measured, in their order; `alphas` are the shares of those that are blends, by name. */
export const measuredPoints = (
  { subjects }: Pick<SetEvaluation, 'subjects'>,
  alphas: ReadonlyMap<string, number>,
): PlanePoint[] =>
  subjects.map(({ name, mean: { psnr, ssim, lpips = NaN } }) => {
    const alpha = alphas.get(name);
    return {
      name,
      psnr,
      ssim,
      lpips,
      kind: alpha === undefined ? 'measured' : 'blend',
      ...(alpha !== undefined && { alpha }),
    };
  });

/** The points of other software; none unless exactly their four photographs were measured by the same network. */
export function publishedPoints(pictures: readonly string[], network: LpipsChoice): PlanePoint[] {
  const names = pictures.map((path) => basename(path, extname(path))).sort();
  if (network !== published.network || names.join() !== published.pictures.join()) return [];
  return published.points.map((point) => ({ ...point, kind: 'published' }));
}

/** Why the points of other software are missing. */
export const withoutPublished =
  `${published.points.map(({ name }) => name).join(', ')} are not in the plane: their figures are of ` +
  `${published.pictures.join(', ')} by ${published.network}`;
