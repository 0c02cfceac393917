import { stateReadings, type Metrics, type Readings, type RunConfig, type Network } from '@fourfold/common';
import type { Evaluation, History } from '@fourfold/store';
import type { StatusNow } from '../status/status.js';

export type LossesByNetwork = Partial<Record<Network, Record<string, number>>>;

export interface RunFigures {
  config: RunConfig;
  now: () => StatusNow;
  history: () => History;
  /** Losses of the newest update of each network in this phase. */
  losses: () => LossesByNetwork;
  /** By this process. */
  iterationsDone: () => number;
}

/** States of a run. */
const states = ['waiting for workers', 'training', 'evaluating', 'writing a checkpoint', 'finished', 'stopped'];
const phaseKinds: readonly RunConfig['phases'][number]['kind'][] = ['mse', 'content', 'gan'];

/**
 * By network: names of losses on the wire, and their labels. Other names that workers may send do not become labels.
 */
const lossTerms: Record<Network, Record<string, string>> = {
  generator: {
    total: 'total',
    content: 'content',
    adversarial: 'adversarial',
    pixels: 'pixels',
    spread: 'spread',
    grid: 'grid',
    bands: 'bands',
    totalVariation: 'total_variation',
  },
  discriminator: { discriminatorReal: 'real', discriminatorFake: 'fake' },
};

/** Metrics of a run's progress: its position, pace and quality. */
export function addRunMetrics(metrics: Metrics, figures: RunFigures): void {
  const { config, now, losses, iterationsDone } = figures;
  const { counter, gauge } = metrics;
  const plain: [name: string, help: string, read: (now: StatusNow) => number | undefined][] = [
    ['term', 'Term of office of the coordinator.', ({ term }) => term],
    ['iteration', 'Iterations that are done, over all phases.', ({ iteration }) => iteration],
    ['schedule_iterations', 'Iterations of the whole schedule.', ({ iterations }) => iterations],
    ['phase', 'Phase of the schedule, from 0.', ({ phase }) => phase],
    ['learning_rate', 'Learning rate of the next update.', ({ learningRate }) => learningRate],
    ['iterations_per_second', 'Pace of the newest fifty iterations.', (run) => run.iterationsPerSecond],
    ['samples_per_second', 'Training pairs per second of the newest fifty iterations.', (run) => run.samplesPerSecond],
    ['remaining_seconds', 'Time to the end of the schedule at that pace.', (run) => run.remainingSeconds],
  ];
  for (const [name, help, read] of plain) gauge(`fourfold_${name}`, help, [], () => read(now()));
  gauge('fourfold_run_state', 'State of the run: 1 for the current one.', ['state'], () =>
    stateReadings('state', states.map(labelOf), labelOf(now().state)),
  );
  gauge('fourfold_phase_kind', 'Kind of the phase: 1 for the current one.', ['kind'], () =>
    stateReadings('kind', phaseKinds, now().phaseKind),
  );
  counter('fourfold_iterations_total', 'Iterations that this coordinator has done.', [], iterationsDone);
  counter(
    'fourfold_samples_total',
    'Training pairs of the iterations that this coordinator has done.',
    [],
    () => iterationsDone() * config.data.globalBatch,
  );
  gauge('fourfold_loss', 'Losses of the newest update, mean over replicas.', ['network', 'term'], () =>
    lossReadings(losses()),
  );
  if (config.validation) addValidationMetrics(metrics, config.validation, figures);
}

function addValidationMetrics(
  { gauge }: Metrics,
  validation: NonNullable<RunConfig['validation']>,
  { now, history }: RunFigures,
): void {
  // A set of pictures is named after its folder.
  const set = validation.images.split('/').findLast(Boolean) ?? validation.images;
  const newest =
    (of: (evaluation: Evaluation) => number | undefined, labels: Record<string, string> = { set }) =>
    (): Readings => {
      const evaluation = history().evaluations.at(-1);
      const value = evaluation && of(evaluation);
      return value === undefined ? undefined : [[labels, value]];
    };
  const newestOf = 'of the newest evaluation, on Y, mean over its pictures.';
  const addNewest = (name: string, help: string, of: (evaluation: Evaluation) => number | undefined) =>
    gauge(`fourfold_validation_${name}`, help, ['set'], newest(of));
  addNewest('psnr_decibels', `PSNR ${newestOf}`, ({ psnr }) => psnr);
  addNewest('ssim_ratio', `SSIM ${newestOf}`, ({ ssim }) => ssim);
  const { lpips: network } = validation;
  if (network) {
    const addLpips = (name: string, help: string, of: (evaluation: Evaluation) => number | undefined) =>
      gauge(`fourfold_validation_${name}`, help, ['set', 'network'], newest(of, { set, network }));
    addLpips('lpips', 'LPIPS of the newest evaluation, mean over its pictures.', ({ lpips }) => lpips);
    addLpips('bicubic_lpips', 'LPIPS of bicubic on the same pictures.', ({ bicubic }) => bicubic?.lpips);
  }
  addNewest('bicubic_psnr_decibels', 'PSNR of bicubic on the same pictures.', ({ bicubic }) => bicubic?.psnr);
  addNewest('bicubic_ssim_ratio', 'SSIM of bicubic on the same pictures.', ({ bicubic }) => bicubic?.ssim);
  addNewest('iteration', 'Iteration of the newest evaluation.', ({ iteration }) => iteration);
  gauge('fourfold_validation_best_psnr_decibels', 'Highest PSNR of all evaluations.', ['set'], () => {
    const { best } = now();
    return best && [[{ set }, best.psnr]];
  });
}

const labelOf = (state: string): string => state.replaceAll(' ', '_');

const lossReadings = (losses: LossesByNetwork): Readings =>
  (Object.keys(lossTerms) as Network[]).flatMap((network) =>
    Object.entries(lossTerms[network]).flatMap(([name, term]) => {
      const value = losses[network]?.[name];
      return value === undefined ? [] : [[{ network, term }, value] as const];
    }),
  );
