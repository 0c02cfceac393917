import { resizeBy, type Kernel, type Picture, type Scores } from '@fourfold/imaging';
import { highestPsnr } from '@fourfold/common';

/** Scores of each picture of a folder and their means: PSNR in dB and SSIM on Y. */
export interface EvaluationTable {
  pictures: ({ picture: string } & Scores)[];
  mean: Scores;
  /** How many pictures measure `highestPsnr`: they equal their originals, or nearly. */
  identical: number;
}

const kernels: Record<BaselineName, Kernel> = { nearest: 'nearest', bicubic: 'cubic', lanczos: 'lanczos3' };

/** What a generator is compared with. */
export type BaselineName = 'nearest' | 'bicubic' | 'lanczos';
export const baselineNames: readonly BaselineName[] = ['nearest', 'bicubic', 'lanczos'];

/** A baseline as MATLAB's imresize computes it. */
export const upscaleBaseline = (name: BaselineName, lr: Picture): Picture => resizeBy(lr, 4, kernels[name]);

/** A table of pictures' scores; each counts the same in the means. */
export function evaluationTable(pictures: EvaluationTable['pictures']): EvaluationTable {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    pictures,
    mean: {
      psnr: mean(pictures.map(({ psnr }) => psnr)),
      ssim: mean(pictures.map(({ ssim }) => ssim)),
      ...(pictures.some(({ lpips }) => lpips !== undefined) && {
        lpips: mean(pictures.map(({ lpips }) => lpips ?? NaN)),
      }),
    },
    identical: pictures.filter(({ psnr }) => psnr >= highestPsnr).length,
  };
}
