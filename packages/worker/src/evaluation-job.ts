import {
  FourfoldError,
  type EvaluationWork__Output,
  type PictureScore__Output,
  type RunConfig,
} from '@fourfold/common';
import { naming } from '@fourfold/data-loader';
import type { ComputeMethods } from './compute-thread.js';
import type { ParameterSource } from './exchange.js';
import { sharedVector } from './parameters.js';
import type { PictureWriter } from './picture-writer.js';
import type { Remote } from './thread-rpc.js';
import { openValidation } from './validation.js';

export interface EvaluationParts {
  config: RunConfig;
  compute: Remote<ComputeMethods>;
  parameters: ParameterSource;
  writer: PictureWriter;
  /** Elements of the generator's vector. */
  vectorLength: number;
}

/**
 * Measure a version of the generator on the validation pictures, one picture at a time, so that replicas' leases are
 * computed in between. Pictures to show are written meanwhile.
 */
export async function runEvaluation(
  { config, compute, parameters, writer, vectorLength }: EvaluationParts,
  { iteration, generatorVersion }: EvaluationWork__Output,
  signal: AbortSignal,
): Promise<PictureScore__Output[]> {
  const { name, validation } = config;
  if (!validation) throw new FourfoldError('invalid', `run ${name} has no validation pictures`);
  const images = await openValidation(validation.images);
  try {
    const vector = sharedVector(vectorLength);
    await parameters.fetchEvaluated(generatorVersion, vector);
    await compute.startEvaluation(vector);
    const scores: PictureScore__Output[] = [];
    const writes: Promise<void>[] = [];
    for (const [index, photograph] of images.photographs.entries()) {
      signal.throwIfAborted();
      const { name: picture } = photograph;
      const bytes = await images.read(photograph);
      const show = index < validation.pictures && { references: writer.wantsReferences(picture) };
      const measured = compute.evaluatePicture(picture, bytes, show);
      const { psnr, ssim, bicubic, shown } = await naming(images.title(photograph), measured);
      scores.push({ picture, psnr, ssim, bicubicPsnr: bicubic.psnr, bicubicSsim: bicubic.ssim });
      if (shown) writes.push(writer.write(picture, iteration, shown));
      // A failure is awaited below; until then it must not count as unhandled.
      writes.at(-1)?.catch(() => undefined);
    }
    await compute.endEvaluation();
    await Promise.all(writes);
    return scores;
  } finally {
    await images.close();
  }
}
