import { FourfoldError, machineId, withDeadline, type RunConfig } from '@fourfold/common';
import type { EvaluationWork__Output, PictureScore__Output } from '@fourfold/rpc';
import { digestOf, type MeasuredSet } from '@fourfold/data-loader';
import { withName } from '@fourfold/imaging';
import type { ComputeMethods, MeasuredPicture } from '../compute/compute-thread.js';
import type { ParameterSource } from '../exchange/exchange.js';
import { sharedVector } from '../exchange/parameters.js';
import type { PictureWriter } from './picture-writer.js';
import type { Remote } from '../compute/thread-rpc.js';
import { openValidation } from './validation.js';

export interface EvaluationParts {
  config: RunConfig;
  compute: Remote<ComputeMethods>;
  parameters: Pick<ParameterSource, 'fetchEvaluated'>;
  writer: PictureWriter;
  /** Elements of the generator's vector. */
  vectorLength: number;
  /** Called at once with each picture's scores and the digest of all pictures, and now and then without scores during a large one. */
  onProgress: (scores: PictureScore__Output[], picturesSha256: string) => void;
  /** The digest of this process's pictures, once it is known. */
  pictures: { sha256?: string };
}

/**
 * Measure a version of the generator on the validation pictures that have not been measured yet, tile by tile, so that replicas'
 * leases are computed in between. Pictures to show are written meanwhile.
 */
export async function runEvaluation(
  parts: EvaluationParts,
  work: EvaluationWork__Output,
  signal: AbortSignal,
): Promise<PictureScore__Output[]> {
  const { config, compute, parameters, vectorLength } = parts;
  const { name, validation } = config;
  if (!validation) throw new FourfoldError('invalid', `run ${name} has no validation pictures`);
  const images = await openValidation(validation.images);
  try {
    const vector = sharedVector(vectorLength);
    await parameters.fetchEvaluated(work.generatorVersion, vector);
    await compute.startEvaluation(vector);
    return await measureAll(parts, work, images, validation.pictures, signal);
  } finally {
    // After a session's end the compute thread has been reset, and may be busy with another evaluation.
    if (!signal.aborted) await compute.endEvaluation().catch(() => undefined);
    await images.close();
  }
}

async function measureAll(
  { config, compute, writer, onProgress, pictures }: EvaluationParts,
  work: EvaluationWork__Output,
  images: MeasuredSet,
  shownPictures: number,
  signal: AbortSignal,
): Promise<PictureScore__Output[]> {
  const { iteration, measured } = work;
  const { heartbeatMs, leaseMs } = config.timing;
  const isMeasured = new Set(measured);
  const all: PictureScore__Output[] = [];
  const writes: Promise<void>[] = [];
  let reportedMs = performance.now();
  const report = (scores: PictureScore__Output[]) => {
    reportedMs = performance.now();
    onProgress(scores, pictures.sha256 ?? '');
  };
  const onTile = () => {
    if (performance.now() - reportedMs >= heartbeatMs) report([]);
    signal.throwIfAborted();
  };
  pictures.sha256 ??= await digestOf(images, onTile);
  checkSamePictures(config.validation?.images ?? '', pictures.sha256, work);
  for (const [index, photograph] of images.photographs.entries()) {
    const { name: picture } = photograph;
    if (isMeasured.has(picture)) continue;
    const bytes = await images.read(photograph);
    // The compute thread may be busy with another session's evaluation by now.
    signal.throwIfAborted();
    const show = index < shownPictures && { references: writer.wantsReferences(picture) };
    const measuring = measurePicture(compute, picture, bytes, show, onTile);
    const { psnr, ssim, lpips, bicubic, shown } = await withName(images.title(photograph), measuring);
    const scores = {
      picture,
      psnr,
      ssim,
      bicubicPsnr: bicubic.psnr,
      bicubicSsim: bicubic.ssim,
      ...(lpips !== undefined && { lpips }),
      ...(bicubic.lpips !== undefined && { bicubicLpips: bicubic.lpips }),
    };
    all.push(scores);
    report([scores]);
    if (shown) writes.push(writer.write(picture, iteration, shown));
  }
  // Scores do not wait long for pictures that are only shown.
  await withDeadline(Promise.all(writes), leaseMs, () => undefined).catch(() => undefined);
  return all;
}

async function measurePicture(
  compute: Remote<ComputeMethods>,
  ...[name, bytes, show, onTile]: [...Parameters<ComputeMethods['startPicture']>, onTile: () => void]
): Promise<MeasuredPicture> {
  await compute.startPicture(name, bytes, show);
  for (;;) {
    const measured = await compute.continuePicture();
    if (measured) return measured;
    onTile();
  }
}

/** Scores of other pictures do not belong to this run. */
function checkSamePictures(images: string, sha256: string, work: EvaluationWork__Output): void {
  if (!work.picturesSha256 || work.picturesSha256 === sha256) return;
  const first = `those that machine ${work.picturesMachine} measured first`;
  throw new FourfoldError('invalid', `${images} on machine ${machineId()} holds different pictures from ${first}`, {
    hint: 'put the same pictures there on all machines, or name another place in validation.images',
  });
}
