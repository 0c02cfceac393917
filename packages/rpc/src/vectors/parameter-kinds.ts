import type { Network } from '@fourfold/common';
import type { StreamKind } from '../stream/frame.js';

/** What a worker asks for when it pulls parameters, by their names on the bulk stream. */
export type ParameterKind = Exclude<StreamKind, 'gradient' | 'sum'>;

/** Parameters that can be pulled. */
export interface PulledParameters {
  network: Network;
  /** The generator that an evaluation measures. */
  forEvaluation: boolean;
  /** What the version adds to the one before, in place of the whole vector. */
  deltas: boolean;
}

/** What each kind is. */
export const parameterKinds: Record<ParameterKind, PulledParameters> = {
  generator: { network: 'generator', forEvaluation: false, deltas: false },
  discriminator: { network: 'discriminator', forEvaluation: false, deltas: false },
  evaluated: { network: 'generator', forEvaluation: true, deltas: false },
  generatorDeltas: { network: 'generator', forEvaluation: false, deltas: true },
  discriminatorDeltas: { network: 'discriminator', forEvaluation: false, deltas: true },
};

/** The kind of a network's deltas. */
export const deltaKinds = {
  generator: 'generatorDeltas',
  discriminator: 'discriminatorDeltas',
} as const satisfies Record<Network, ParameterKind>;
