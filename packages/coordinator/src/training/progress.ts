import { totalIterations, type RunConfig, nextHalf, positionAt, type Half, type Versions } from '@fourfold/common';
import type { RunStatus__Output } from '@fourfold/rpc';
import { emptyHistory, meanLosses, type Evaluation, type History } from '@fourfold/store';

/** The status shows the pace of this many iterations. */
const paceIterations = 50;

/** A run's losses, evaluations and pace so far. Kept in the checkpoints, served by `Watch`. */
export interface Progress {
  history(): History;
  restore(history: History): void;
  /** A half is done, with these losses. */
  add(half: Pick<Half, 'position' | 'network'>, losses: Record<string, number>): void;
  addEvaluation(evaluation: Evaluation): void;
  status(state: string, term: number, workers: number, versions: Versions): RunStatus__Output;
}

/**
 * Progress of a run from its first iteration; `onEvaluation` is called for each evaluation once it is in the history.
 */
export function createProgress(config: RunConfig, onEvaluation: () => void = () => undefined): Progress {
  let history = emptyHistory();
  let window: Record<string, number>[] = [];
  let latest: Record<string, number> = {};
  const finishedAt: number[] = [];

  return {
    history: () => history,
    restore(restored) {
      history = restored;
    },
    add({ position, network }, losses) {
      latest = { ...latest, ...losses };
      window.push(losses);
      if (network === 'discriminator') return;
      finishedAt.push(performance.now());
      if (finishedAt.length > paceIterations + 1) finishedAt.shift();
      const iteration = position.iteration + 1;
      if (iteration % config.logEvery === 0 || position.endsPhase) {
        const { phase, learningRate } = position;
        history.rows.push({ iteration, phase, learningRate, losses: meanLosses(window) });
        window = [];
      }
      if (position.endsPhase) latest = {};
    },
    addEvaluation(evaluation) {
      history.evaluations.push(evaluation);
      onEvaluation();
    },
    status(state, term, workers, versions) {
      const iterations = totalIterations(config);
      const half = nextHalf(config.phases, versions);
      const { phase, kind, learningRate } = half?.position ?? positionAt(config.phases, iterations - 1);
      const evaluation = history.evaluations.at(-1);
      const elapsedMs = (finishedAt.at(-1) ?? 0) - finishedAt[0];
      return {
        state,
        term,
        iteration: versions.generator,
        iterations,
        phase,
        phaseKind: kind,
        learningRate,
        iterationsPerSecond: finishedAt.length > 1 ? ((finishedAt.length - 1) * 1000) / elapsedMs : 0,
        workers,
        losses: latest,
        evaluatedIteration: evaluation?.iteration ?? 0,
        ...(evaluation && {
          psnr: evaluation.psnr,
          ssim: evaluation.ssim,
          lpips: evaluation.lpips,
          bicubicPsnr: evaluation.bicubic?.psnr,
          bicubicLpips: evaluation.bicubic?.lpips,
        }),
      };
    },
  };
}
