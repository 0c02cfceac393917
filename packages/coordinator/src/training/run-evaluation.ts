import { describeError, FourfoldError, type Logger, type RunConfig, isEvaluated } from '@fourfold/common';
import { maxScores, type PictureScore__Output } from '@fourfold/rpc';
import {
  type ObjectStore,
  checkpointStore,
  listCheckpoints,
  readManifest,
  readGenerator,
  toEvaluation,
  type Evaluation,
  iterationOf,
} from '@fourfold/store';
import type { Failures } from './failures.js';
import type { LeaseBoard } from '../leases/lease-board.js';
import type { Master } from '../updates/master.js';
import type { Progress } from './progress.js';
import type { Answer, Work } from '../serve/work.js';

const evaluationPriority = 1;

/** The parts that an evaluation uses. */
export interface EvaluationParts {
  board: LeaseBoard<Work, Answer>;
  failures: Pick<Failures, 'failed' | 'done' | 'gotOn'>;
  master: Pick<Master, 'versions' | 'retainGenerator'>;
  config: RunConfig;
  progress: Pick<Progress, 'addEvaluation' | 'history'>;
  log: Logger;
}

/** A generator that is not the newest. */
export interface OlderGenerator {
  iteration: number;
  vector: Float32Array;
}

/**
 * Have a worker measure the current generator, or an older one, beside training. Its lease holds while it reports
 * progress. Reported scores stay: a worker that takes over measures what is left. A picture's scores are a function of
 * the generator's bits, the picture and the worker's kind, so it does not matter which worker measured which. They are
 * sorted before their mean is taken.
 */
export async function evaluate(parts: EvaluationParts, signal: AbortSignal, older?: OlderGenerator): Promise<void> {
  const { board, config, failures, master, progress, log } = parts;
  master.retainGenerator(older);
  const iteration = older?.iteration ?? master.versions().generator;
  const key = `evaluation ${iteration}`;
  const scores = new Map<string, PictureScore__Output>();
  const images = config.validation?.images ?? '';
  // Another URL in the config means other pictures.
  let pictures = progress.history().evaluations.find(({ of }) => of?.images === images)?.of;
  const measured: string[] = [];
  const work = { evaluation: { iteration, generatorVersion: iteration, measured, ...picturesFields(pictures) } };
  const keep = (reported: readonly PictureScore__Output[]): void => {
    for (const score of reported) if (scores.size < maxScores) scores.set(score.picture, score);
    work.evaluation.measured = [...scores.keys()];
  };
  const onProgress = ({ scores, pictures: reported }: Answer) => {
    keep(scores);
    if (reported && scores.length > 0) pictures ??= { images, ...reported };
    Object.assign(work.evaluation, picturesFields(pictures));
    if (scores.length > 0) failures.gotOn(key);
  };
  board.add({ key, priority: evaluationPriority, subject: 'evaluation', about: { iteration }, work, onProgress });
  board.replan();
  for (;;) {
    const { worker, token, result } = await board.nextOffer(key, signal);
    keep(result.scores);
    if (result.gradient || scores.size === 0) {
      failures.failed(worker, token, { code: 'bad-result', reason: `${key}: the answer has no scores` });
      signal.throwIfAborted();
      continue;
    }
    board.finish(key);
    failures.done(key, worker);
    const figures = toEvaluation(iteration, [...scores.values()].sort(byPicture));
    const evaluation = { ...figures, ...(pictures && { of: pictures }) };
    progress.addEvaluation(evaluation);
    const { psnr, ssim, lpips } = evaluation;
    log.info(
      { event: 'evaluation', iteration, worker, psnr, ssim, ...(lpips !== undefined && { lpips }) },
      'evaluation',
    );
    return;
  }
}

const picturesFields = (pictures: Evaluation['of']) => ({
  picturesSha256: pictures?.sha256 ?? '',
  picturesMachine: pictures?.machine ?? '',
});

const byPicture = (a: PictureScore__Output, b: PictureScore__Output) => (a.picture < b.picture ? -1 : 1);

/**
 * The iteration whose evaluation an earlier process of the run left undone, if there is one: it was under way when a
 * checkpoint was written. Only one is under way at a time, and it is the newest that is due.
 */
export function lostEvaluation(
  config: RunConfig,
  master: Pick<Master, 'versions'>,
  progress: Pick<Progress, 'history'>,
): number | undefined {
  const known = Math.max(0, ...progress.history().evaluations.map(({ iteration }) => iteration));
  for (let iteration = master.versions().generator; iteration > known; iteration--) {
    if (isEvaluated(config, iteration)) return iteration;
  }
  return undefined;
}

/** The generator, or its moving average, from a checkpoint of this iteration; undefined if no intact one is left. */
export async function olderGenerator(
  run: ObjectStore,
  iteration: number,
  log: Logger,
): Promise<Float32Array | undefined> {
  const name = (await listCheckpoints(run)).filter((name) => iterationOf(name) === iteration).at(-1);
  try {
    if (name === undefined) throw new FourfoldError('not-found', 'no checkpoint of that iteration is left');
    const store = checkpointStore(run, name);
    return (await readGenerator({ store, manifest: await readManifest(store) })).vector;
  } catch (error) {
    if (!(error instanceof FourfoldError) || error.code === 'unavailable') throw error;
    log.warn({ event: 'evaluation-lost', iteration, reason: describeError(error) }, 'skipping an evaluation');
    return undefined;
  }
}
