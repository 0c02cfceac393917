import { maxScores, type Logger, type PictureScore__Output, type RunConfig } from '@fourfold/common';
import type { Failures } from './failures.js';
import { toEvaluation } from './history.js';
import type { LeaseBoard } from './lease-board.js';
import type { Master } from './master.js';
import type { Progress } from './progress.js';
import { isEvaluated, nextHalf } from './schedule.js';
import type { Answer, Work } from './service.js';

const evaluationPriority = 1;

/** What an evaluation works on. */
export interface EvaluationParts {
  board: LeaseBoard<Work, Answer>;
  failures: Pick<Failures, 'failed' | 'done' | 'gotOn'>;
  master: Pick<Master, 'versions' | 'retainGenerator'>;
  progress: Pick<Progress, 'addEvaluation'>;
  log: Logger;
}

/**
 * Have a worker measure the generator as it is now, beside training. Its lease holds while it tells progress. What it has told stays: a
 * worker that takes over measures what is left. A picture's scores are a function of the generator's bits, the picture and
 * the worker's kind, so that it does not matter who measured which; they are put in order before their mean is taken.
 */
export async function evaluate(parts: EvaluationParts, signal: AbortSignal): Promise<void> {
  const { board, failures, master, progress, log } = parts;
  master.retainGenerator();
  const iteration = master.versions().generator;
  const key = `evaluation ${iteration}`;
  const scores = new Map<string, PictureScore__Output>();
  const work = { evaluation: { iteration, generatorVersion: iteration, measured: [] as string[] } };
  const keep = (told: readonly PictureScore__Output[]): void => {
    for (const score of told) if (scores.size < maxScores) scores.set(score.picture, score);
    work.evaluation.measured = [...scores.keys()];
  };
  const onProgress = ({ scores }: Answer) => {
    keep(scores);
    if (scores.length > 0) failures.gotOn(key);
  };
  board.add({ key, priority: evaluationPriority, subject: 'evaluation', about: { iteration }, work, onProgress });
  board.replan();
  for (;;) {
    const { worker, token, result } = await board.nextOffer(key, signal);
    keep(result.scores);
    if (result.gradient || scores.size === 0) {
      failures.failed(worker, token, { code: 'useless', reason: `${key}: the answer has no scores` });
      signal.throwIfAborted();
      continue;
    }
    board.finish(key);
    failures.done(key, worker);
    const evaluation = toEvaluation(iteration, [...scores.values()].sort(byPicture));
    progress.addEvaluation(evaluation);
    const { psnr, ssim } = evaluation;
    log.info({ event: 'evaluation', iteration, worker, psnr, ssim }, 'evaluation');
    return;
  }
}

const byPicture = (a: PictureScore__Output, b: PictureScore__Output) => (a.picture < b.picture ? -1 : 1);

/**
 * Whether the state that the run goes on from is one that is evaluated, and its checkpoint was written before the figures were
 * there.
 */
export function evaluationWasLost(
  config: RunConfig,
  master: Pick<Master, 'versions'>,
  progress: Pick<Progress, 'history'>,
): boolean {
  const { generator } = master.versions();
  if (!isEvaluated(config, generator) || !nextHalf(config.phases, master.versions())) return false;
  return progress.history().evaluations.every(({ iteration }) => iteration !== generator);
}
