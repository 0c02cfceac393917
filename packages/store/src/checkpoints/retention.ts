import type { bestByChoices } from '@fourfold/common';
import type { Evaluation } from './history.js';

/** The config's rules for which checkpoints stay. */
export interface Retention {
  /** How many of the newest. */
  keep: number;
  /** Checkpoints of iterations that are a multiple of this stay for good. */
  keepEvery?: number;
  /** What makes an evaluation the best; PSNR unless set. */
  bestBy?: BestBy;
}

/** The highest PSNR or SSIM, or the lowest LPIPS. */
export type BestBy = (typeof bestByChoices)[number];

/** A score as a number that is higher for better ones; undefined if there is none. */
export function rankOf(scores: Partial<Record<BestBy, number>>, by: BestBy): number | undefined {
  const score = scores[by];
  if (score === undefined || !Number.isFinite(score)) return undefined;
  return by === 'lpips' ? -score : score;
}

/** The iteration in a checkpoint's name. */
export const iterationOf = (name: string): number => Number(name.split('-')[0]);

/** The term that wrote it. */
export const termOf = (name: string): number => Number(name.split('-')[1]);

/** The best evaluation, the earliest of several; undefined if none has a figure. */
export function bestEvaluation(evaluations: readonly Evaluation[], by: BestBy = 'psnr'): Evaluation | undefined {
  const none: { rank: number; evaluation?: Evaluation } = { rank: -Infinity };
  return evaluations.reduce((best, evaluation) => {
    const rank = rankOf(evaluation, by) ?? -Infinity;
    return rank > best.rank ? { rank, evaluation } : best;
  }, none).evaluation;
}

/**
 * Which of a run's checkpoints may go; `names` are all that it has, oldest first. These stay: the newest, those for
 * good, those of the best evaluated iteration that has one, and those whose evaluation is under way, which may turn out
 * to be the best. `isEvaluated` says whether the run evaluates an iteration.
 */
export function superfluousCheckpoints(
  names: readonly string[],
  { keep, keepEvery, bestBy }: Retention,
  evaluations: readonly Evaluation[],
  isEvaluated: (iteration: number) => boolean,
): string[] {
  const present = new Set(names.map(iterationOf));
  const best = bestEvaluation(
    evaluations.filter(({ iteration }) => present.has(iteration)),
    bestBy,
  )?.iteration;
  const evaluatedUpTo = Math.max(0, ...evaluations.map(({ iteration }) => iteration));
  return names.slice(0, -keep).filter((name) => {
    const iteration = iterationOf(name);
    const isForGood = keepEvery !== undefined && iteration > 0 && iteration % keepEvery === 0;
    return !isForGood && iteration !== best && !(iteration > evaluatedUpTo && isEvaluated(iteration));
  });
}
