import type { EvaluationWork__Output, PictureScore__Output, ReplicaWork__Output, StreamPeer } from '@fourfold/rpc';
import type { GradientSource } from '../exchange/gradient-pieces.js';

/** The work of a lease, as on the wire. */
export type Work = { replica: ReplicaWork__Output } | { evaluation: EvaluationWork__Output };

/** A worker's answer: a gradient, or an evaluation's scores. */
export interface Answer {
  gradient?: GradientSource;
  /** The worker as a hop of a chain, if it can be one. */
  hop?: StreamPeer;
  losses: Record<string, number>;
  scores: PictureScore__Output[];
  /** The digest of the set of pictures, and the machine where it lies. */
  pictures?: { sha256: string; machine: string };
}
