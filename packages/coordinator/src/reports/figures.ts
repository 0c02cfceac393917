import type { Evaluation, HistoryRow } from '@fourfold/store';

/** What is new in a run's history. */
export interface NewHistory {
  rows: readonly HistoryRow[];
  evaluations: readonly Evaluation[];
}

/** Where a run's figures are written besides its checkpoints. */
export interface ReportTarget {
  add(news: NewHistory): Promise<void>;
  close(end: RunEnd): Promise<void>;
}

/** How a coordinator's run ended. After `superseded` it continues, in the term of another coordinator. */
export type RunEnd = 'finished' | 'stopped' | 'failed' | 'superseded';

/** Figures of one iteration by name. */
export interface Figures {
  iteration: number;
  values: Record<string, number>;
}

/** The figures of new rows and evaluations, named as TensorBoard and MLflow group them. */
export const figuresOf = ({ rows, evaluations }: NewHistory): Figures[] =>
  [
    ...rows.map(({ iteration, learningRate, losses }) => ({
      iteration,
      values: { ...prefixed('loss', losses), learning_rate: learningRate },
    })),
    ...evaluations.map(({ iteration, psnr, ssim, lpips, bicubic }) => ({
      iteration,
      values: prefixed('validation', {
        psnr,
        ssim,
        ...(lpips !== undefined && { lpips }),
        ...(bicubic && { bicubic_psnr: bicubic.psnr, bicubic_ssim: bicubic.ssim }),
        ...(bicubic?.lpips !== undefined && { bicubic_lpips: bicubic.lpips }),
      }),
    })),
  ].sort((a, b) => a.iteration - b.iteration);

const prefixed = (prefix: string, values: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]));
