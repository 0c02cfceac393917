import type { RunConfig } from '@fourfold/common';
import type { RunStatus__Output } from '@fourfold/rpc';
import {
  meanLosses,
  type Evaluation,
  type History,
  type HistoryRow,
  bestEvaluation,
  type BestBy,
} from '@fourfold/store';
import type { WorkerFacts } from '../serve/service-host.js';
import type { PictureViews } from './validation-pictures.js';

/*
 * What the status page gets. Figures that are NaN or infinite cross as null, as in JSON. Times are Unix times.
 */

/** Rows of the history in a page's first snapshot; more would be drawn on top of each other. */
const pageRows = 600;

export interface WorkerStatus {
  id: number;
  address: string;
  backend: string;
  device: string;
  precision: string;
  transport: string;
  joinedAtMs: number;
  lastSeenAtMs: number;
  /** What it computes now and next, such as `generator 12.3` (iteration, replica). */
  tasks: string[];
}

/** A checkpoint that has been written. */
export interface CheckpointStatus {
  name: string;
  savedAtMs: number;
}

/** The workers that have a seat, as the board and the service know them. */
export const workerStatus = (
  seated: readonly { worker: number; lastSeenAtMs: number; tasks: string[] }[],
  facts: ReadonlyMap<number, WorkerFacts>,
): WorkerStatus[] =>
  seated.flatMap(({ worker, lastSeenAtMs, tasks }) => {
    const known = facts.get(worker);
    if (!known) return [];
    const { exchangeAddress, kind, transport, joinedAtMs } = known;
    return {
      id: worker,
      address: exchangeAddress,
      backend: kind?.backend ?? '',
      device: kind?.device ?? '',
      precision: kind?.precision ?? '',
      transport,
      joinedAtMs,
      lastSeenAtMs,
      tasks,
    };
  });

/** Where the status comes from. */
export interface StatusSource {
  config: RunConfig;
  run: () => RunStatus__Output;
  history: () => History;
  workers: () => WorkerStatus[];
  checkpoint: () => CheckpointStatus | undefined;
  pictures: () => readonly PictureViews[];
}

export type EvaluationScores = Pick<Evaluation, 'iteration' | 'psnr' | 'ssim' | 'lpips'> & {
  /** Bicubic's on the same pictures, if they were measured. */
  bicubicPsnr?: number;
  bicubicLpips?: number;
};

/** The run at this moment. */
export interface StatusNow {
  state: string;
  term: number;
  /** Iterations that are done. */
  iteration: number;
  iterations: number;
  phase: number;
  phaseKind: string;
  learningRate: number;
  iterationsPerSecond: number;
  samplesPerSecond: number;
  /** Until the end of the schedule at the present pace; absent while no pace is known and after the end. */
  remainingSeconds?: number;
  losses: Record<string, number>;
  /** Of the highest PSNR so far. */
  best?: EvaluationScores;
  checkpoint?: CheckpointStatus;
  workers: WorkerStatus[];
}

/** The whole state: what a page begins with. */
export interface StatusSnapshot {
  /** Ages refer to the coordinator's clock. */
  sentAtMs: number;
  now: StatusNow;
  run: ReturnType<typeof describeRun>;
  history: { rows: HistoryRow[]; evaluations: EvaluationScores[] };
  pictures: readonly PictureViews[];
}

/** What is new since the message before. */
export interface StatusChange {
  sentAtMs: number;
  now: StatusNow;
  rows: HistoryRow[];
  evaluations: EvaluationScores[];
  /** All of them, if any has changed. */
  pictures?: readonly PictureViews[];
}

/** The run at this moment. */
export function statusNow({ config, run, history, workers, checkpoint }: StatusSource): StatusNow {
  const { state, term, iteration, iterations, phase, phaseKind, learningRate, iterationsPerSecond, losses } = run();
  const seated = workers();
  const best = bestEvaluation(history().evaluations);
  const isUnderWay = iterationsPerSecond > 0 && iteration < iterations;
  return {
    state: state === 'training' && seated.length === 0 ? 'waiting for workers' : state,
    term,
    iteration,
    iterations,
    phase,
    phaseKind,
    learningRate,
    iterationsPerSecond,
    samplesPerSecond: iterationsPerSecond * config.data.globalBatch,
    ...(isUnderWay && { remainingSeconds: (iterations - iteration) / iterationsPerSecond }),
    losses,
    ...(best && { best: scoresOf(best) }),
    checkpoint: checkpoint(),
    workers: seated,
  };
}

/** Everything, long histories thinned. */
export function statusSnapshot(source: StatusSource): StatusSnapshot {
  const { rows, evaluations } = source.history();
  const { bestBy } = source.config.checkpoints;
  return {
    sentAtMs: Date.now(),
    now: statusNow(source),
    run: describeRun(source.config),
    history: {
      rows: thinRows(rows, pageRows),
      evaluations: thinEvaluations(evaluations, pageRows, bestBy).map(scoresOf),
    },
    pictures: source.pictures(),
  };
}

export const scoresOf = ({ iteration, psnr, ssim, lpips, bicubic }: Evaluation): EvaluationScores => ({
  iteration,
  psnr,
  ssim,
  ...(lpips !== undefined && { lpips }),
  ...(bicubic && { bicubicPsnr: bicubic.psnr }),
  ...(bicubic?.lpips !== undefined && { bicubicLpips: bicubic.lpips }),
});

/** The parts of a config that the page shows. No places, which may be internal. */
const describeRun = ({
  name,
  seed,
  generator,
  discriminator,
  data,
  loss,
  phases,
  validation,
  logEvery,
}: RunConfig) => ({
  name,
  seed,
  generator,
  discriminator,
  data,
  loss,
  phases,
  logEvery,
  validationEvery: validation?.every,
});

/**
 * At most about `most` rows, a few more if phases change: consecutive rows of a phase are averaged, so that a row
 * stands for a longer stretch.
 */
export function thinRows(rows: readonly HistoryRow[], most: number): HistoryRow[] {
  const size = Math.ceil(rows.length / most);
  if (size <= 1) return [...rows];
  const groups: HistoryRow[][] = [];
  for (const row of rows) {
    const group = groups.at(-1);
    if (group && group.length < size && group[0].phase === row.phase) group.push(row);
    else groups.push([row]);
  }
  return groups.map((group) => ({
    ...group[group.length - 1],
    losses: meanLosses(group.map(({ losses }) => losses)),
  }));
}

/** At most about `most` evaluations: evenly chosen ones, the newest and the best. */
export function thinEvaluations(evaluations: readonly Evaluation[], most: number, bestBy?: BestBy): Evaluation[] {
  const step = Math.ceil(evaluations.length / most);
  const best = bestEvaluation(evaluations, bestBy);
  const last = evaluations.length - 1;
  return evaluations.filter((evaluation, i) => (last - i) % step === 0 || evaluation === best);
}
