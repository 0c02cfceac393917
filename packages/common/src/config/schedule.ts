import { exactCos } from '../numbers/exact-math.js';
import { totalIterations } from './iterations.js';
import type { PhaseConfig, RunConfig } from './schema.js';

/** A position in the schedule: everything about an iteration that follows from its number. */
export interface Position {
  /** Iterations done before this one, over all phases. */
  iteration: number;
  phase: number;
  kind: PhaseConfig['kind'];
  learningRate: number;
  /** Updates of the discriminator before this iteration; the generator has had `iteration`. */
  discriminatorVersion: number;
  /** This is the phase's last iteration. */
  endsPhase: boolean;
}

/** The position of iteration number `iteration` (from 0). Throws a RangeError after the end of the schedule. */
export function positionAt(phases: readonly PhaseConfig[], iteration: number): Position {
  let begin = 0;
  let discriminatorVersion = 0;
  for (const [index, phase] of phases.entries()) {
    const within = iteration - begin;
    if (within < phase.iterations) {
      return {
        iteration,
        phase: index,
        kind: phase.kind,
        learningRate: learningRateAt(phase, within),
        discriminatorVersion: discriminatorVersion + (phase.kind === 'gan' ? within : 0),
        endsPhase: within === phase.iterations - 1,
      };
    }
    begin += phase.iterations;
    if (phase.kind === 'gan') discriminatorVersion += phase.iterations;
  }
  throw new RangeError(`iteration ${iteration} is after the end of the schedule, ${begin}`);
}

/** The networks that a run may train. */
export const networks = ['generator', 'discriminator'] as const;
export type Network = (typeof networks)[number];

/** How many updates each network has had. With the config, this is a run's whole position. */
export type Versions = Record<Network, number>;

/** The half of an iteration that comes next: which network's gradient is due, and where. */
export interface Half {
  position: Position;
  network: Network;
  /** The network's, which may differ from the position's for the discriminator. */
  learningRate: number;
}

/** The next half after `versions` updates; undefined at the schedule's end. */
export function nextHalf(phases: readonly PhaseConfig[], versions: Versions): Half | undefined {
  if (versions.generator >= totalIterations({ phases })) return undefined;
  const position = positionAt(phases, versions.generator);
  const discriminatorDue = position.kind === 'gan' && versions.discriminator === position.discriminatorVersion;
  if (!discriminatorDue) return { position, network: 'generator', learningRate: position.learningRate };
  const { learningRate, discriminatorLearningRate = learningRate } = phases[position.phase];
  // The factor is 1, and the bits are the position's, if the discriminator has none of its own.
  const factor = discriminatorLearningRate / learningRate;
  return { position, network: 'discriminator', learningRate: position.learningRate * factor };
}

function endsPhase(phases: readonly PhaseConfig[], iteration: number): boolean {
  let end = 0;
  return phases.some(({ iterations }) => (end += iterations) === iteration);
}

/** Whether the generator is measured after `iteration` iterations. */
export const isEvaluated = ({ validation, phases }: Pick<RunConfig, 'validation' | 'phases'>, iteration: number) =>
  validation !== undefined && iteration > 0 && (iteration % validation.every === 0 || endsPhase(phases, iteration));

/**
 * Whether a checkpoint is due after `iteration` iterations: every evaluated iteration has one, so that the best can be
 * kept.
 */
export const isCheckpointDue = (config: Pick<RunConfig, 'validation' | 'phases' | 'checkpoints'>, iteration: number) =>
  iteration % config.checkpoints.every === 0 || endsPhase(config.phases, iteration) || isEvaluated(config, iteration);

/**
 * Whether a checkpoint that is due must be of this very iteration, and not of a later one: the generator is evaluated, a phase ends, or
 * `keepEvery` names the iteration.
 */
export const isCheckpointExact = (
  config: Pick<RunConfig, 'validation' | 'phases' | 'checkpoints'>,
  iteration: number,
): boolean => {
  const { every, keepEvery } = config.checkpoints;
  const isKept = keepEvery !== undefined && iteration % keepEvery === 0 && iteration % every === 0;
  return isKept || endsPhase(config.phases, iteration) || isEvaluated(config, iteration);
};

function learningRateAt({ learningRate, decay, iterations }: PhaseConfig, within: number): number {
  switch (decay) {
    case 'constant':
      return learningRate;
    case 'cosine':
      return (learningRate * (1 + exactCos((Math.PI * within) / iterations))) / 2;
  }
}
