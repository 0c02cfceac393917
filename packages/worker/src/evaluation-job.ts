import { fileURLToPath } from 'node:url';
import {
  FourfoldError,
  type EvaluationWork__Output,
  type PictureScore__Output,
  type RunConfig,
} from '@fourfold/common';
import type { ComputeMethods } from './compute-thread.js';
import { evaluationPictures } from './evaluation.js';
import type { ParameterSource } from './exchange.js';
import { sharedVector } from './parameters.js';
import type { Remote } from './thread-rpc.js';

/**
 * Measure a version of the generator on the validation pictures, one picture at a time, so that replicas' leases are
 * computed in between.
 */
export async function runEvaluation(
  compute: Remote<ComputeMethods>,
  parameters: ParameterSource,
  work: EvaluationWork__Output,
  { name, validation }: RunConfig,
  vectorLength: number,
  signal: AbortSignal,
): Promise<PictureScore__Output[]> {
  if (!validation) throw new FourfoldError('invalid', `run ${name} has no validation pictures`);
  const folder = fileURLToPath(validation.images);
  const vector = sharedVector(vectorLength);
  await parameters.fetch('generator', work.generatorVersion, vector);
  await compute.startEvaluation(vector);
  const scores: PictureScore__Output[] = [];
  for (const picture of await evaluationPictures(folder)) {
    signal.throwIfAborted();
    scores.push({ picture, ...(await compute.evaluatePicture(folder, picture)) });
  }
  await compute.endEvaluation();
  return scores;
}
