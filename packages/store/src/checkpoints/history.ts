import { highestPsnr } from '@fourfold/common';
import { z } from '@fourfold/common/zod';

/** A loss. JSON writes NaN and infinity as null. */
const measured = z
  .number()
  .nullable()
  .transform((value) => value ?? NaN);

/** Losses by name, averaged over the iterations since the row before. */
const historyRowSchema = z.object({
  iteration: z.int(),
  phase: z.int(),
  learningRate: z.number(),
  losses: z.record(z.string(), measured),
});

/** Before PSNR had an upper limit, that of identical pictures was infinite, and written as null. */
const olderPsnr = z.number().nullable();

/** Mean PSNR (dB) and SSIM on Y over the validation pictures, and each picture's. */
const evaluationSchema = z
  .object({
    iteration: z.int(),
    psnr: olderPsnr,
    ssim: z.number(),
    /** Mean perceptual distance, where it was measured. */
    lpips: z.number().optional(),
    /** The pictures: where they lie, their digest, and the machine that reported it first. */
    of: z.object({ images: z.string(), sha256: z.string(), machine: z.string() }).optional(),
    /** Bicubic's scores on them. */
    bicubic: z.object({ psnr: olderPsnr, ssim: z.number(), lpips: z.number().optional() }).optional(),
    pictures: z.array(
      z.object({
        picture: z.string(),
        psnr: olderPsnr.transform((value) => value ?? highestPsnr),
        ssim: z.number(),
        lpips: z.number().optional(),
      }),
    ),
  })
  .transform(({ psnr, bicubic, ...rest }) => ({
    ...rest,
    psnr: psnr ?? mean(rest.pictures.map((picture) => picture.psnr)),
    ...(bicubic && bicubic.psnr !== null && { bicubic: { ...bicubic, psnr: bicubic.psnr } }),
  }));

export const historySchema = z.object({
  rows: z.array(historyRowSchema),
  evaluations: z.array(evaluationSchema),
});

export type HistoryRow = z.infer<typeof historyRowSchema>;
export type Evaluation = z.infer<typeof evaluationSchema>;
export type History = z.infer<typeof historySchema>;

export const emptyHistory = (): History => ({ rows: [], evaluations: [] });

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean of each loss over several iterations or replicas; a loss that only some have is averaged over those. */
export function meanLosses(all: readonly Record<string, number>[]): Record<string, number> {
  const names = new Set(all.flatMap((losses) => Object.keys(losses)));
  return Object.fromEntries(
    [...names].map((name) => [name, mean(all.flatMap((losses) => (name in losses ? [losses[name]] : [])))]),
  );
}

/** A picture's scores, and bicubic's if known. */
export type PictureScores = Evaluation['pictures'][number] & {
  bicubicPsnr?: number;
  bicubicSsim?: number;
  bicubicLpips?: number;
};

/** The evaluation of the given pictures' scores. LPIPS counts only if every picture has it. */
export function toEvaluation(iteration: number, scores: readonly PictureScores[]): Evaluation {
  const means = meanLosses(scores.map(({ picture: _, lpips: _lpips, bicubicLpips: _bicubic, ...numbers }) => numbers));
  const { psnr, ssim, bicubicPsnr, bicubicSsim } = means;
  const lpips = meanOfAll(scores.map((score) => score.lpips));
  const bicubicLpips = meanOfAll(scores.map((score) => score.bicubicLpips));
  return {
    iteration,
    psnr,
    ssim,
    ...(lpips !== undefined && { lpips }),
    ...('bicubicPsnr' in means && {
      bicubic: { psnr: bicubicPsnr, ssim: bicubicSsim, ...(bicubicLpips !== undefined && { lpips: bicubicLpips }) },
    }),
    pictures: scores.map(({ picture, psnr, ssim, lpips }) => ({
      ...{ picture, psnr, ssim },
      ...(lpips !== undefined && { lpips }),
    })),
  };
}

/** The mean of values that are all there; undefined otherwise. */
function meanOfAll(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 && known.length === values.length ? mean(known) : undefined;
}
