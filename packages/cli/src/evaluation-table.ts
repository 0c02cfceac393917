import { join } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import { readPicture, resizeBy, type Kernel, type Picture } from '@fourfold/data-loader';
import { evaluatePicture, evaluationPictures, type Scores } from '@fourfold/worker';
import { formatTable } from './terminal/table.js';

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

/**
 * Measure an upscaling on every picture of a folder, one at a time. Throws `invalid` or `not-found` naming the picture
 * that cannot be measured: a mean over the others would not be comparable.
 */
export async function evaluatePictures(
  folder: string,
  upscale: (lr: Picture) => Picture,
  onProgress: (done: number, total: number) => void,
): Promise<EvaluationTable> {
  const names = await evaluationPictures(folder);
  const pictures: EvaluationTable['pictures'] = [];
  for (const picture of names) {
    onProgress(pictures.length, names.length);
    const path = join(folder, picture);
    pictures.push({ picture, ...(await scoresOf(path, await readPicture(path), upscale)) });
  }
  onProgress(names.length, names.length);
  return { pictures, mean: meanScores(pictures) };
}

/** Means over pictures, each counting the same. */
export function meanScores(scores: readonly Scores[]): Scores {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { psnr: mean(scores.map(({ psnr }) => psnr)), ssim: mean(scores.map(({ ssim }) => ssim)) };
}

async function scoresOf(path: string, original: Picture, upscale: (lr: Picture) => Picture): Promise<Scores> {
  try {
    return await evaluatePicture(original, upscale);
  } catch (error) {
    throw error instanceof FourfoldError
      ? new FourfoldError(error.code, `${path}: ${error.message}`, error.options)
      : error;
  }
}

/** Scores as the lines of a table, the means last. */
export function describeEvaluation({ pictures, mean }: EvaluationTable): string {
  const cells = (name: string, { psnr, ssim }: Scores) => [name, psnr.toFixed(2), ssim.toFixed(4)];
  return formatTable(
    [['picture', 'PSNR dB', 'SSIM'], ...pictures.map((scores) => cells(scores.picture, scores)), cells('mean', mean)],
    ['left', 'right', 'right'],
  );
}
