import { resizeBy, type Kernel, type Picture } from '@fourfold/data-loader';
import type { Scores } from '@fourfold/worker';

/** Scores of each picture of a folder and their means: PSNR in dB and SSIM on Y. */
export interface EvaluationTable {
  pictures: ({ picture: string } & Scores)[];
  mean: Scores;
}

const kernels: Record<BaselineName, Kernel> = { nearest: 'nearest', bicubic: 'cubic', lanczos: 'lanczos3' };

/** What a generator is compared with. */
export type BaselineName = 'nearest' | 'bicubic' | 'lanczos';
export const baselineNames: readonly BaselineName[] = ['nearest', 'bicubic', 'lanczos'];

/** A baseline as MATLAB's imresize has it. */
export const upscaleBaseline = (name: BaselineName, lr: Picture): Picture => resizeBy(lr, 4, kernels[name]);

/** Means over pictures, each counting the same. */
export function meanScores(scores: readonly Scores[]): Scores {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { psnr: mean(scores.map(({ psnr }) => psnr)), ssim: mean(scores.map(({ ssim }) => ssim)) };
}
