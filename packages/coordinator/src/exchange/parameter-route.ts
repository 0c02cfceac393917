import type { StreamPeer } from '@fourfold/rpc';

/*
 * Which way an update's parameters take along a chain: a pure function of the workers that have a seat on the bulk stream.
 */

/** A worker that parameters may pass. */
export interface SeatedHop {
  worker: number;
  /** Its host. */
  machine: string;
  peer: StreamPeer;
  /** It did not pass on something a while ago. */
  isBarred: boolean;
}

/** From whom a worker gets parameters: the coordinator if from nobody else. */
export interface ParameterHop<Hop> {
  hop: Hop;
  from?: Hop;
}

/**
 * Each worker gets parameters from the one before it, workers of one host in sequence, and the first from the coordinator. One that is
 * barred gets them from the coordinator and passes them to nobody.
 */
export function parameterRoute<Hop extends SeatedHop>(seated: readonly Hop[]): ParameterHop<Hop>[] {
  const barred = seated.filter(({ isBarred }) => isBarred);
  const passed = seated
    .filter(({ isBarred }) => !isBarred)
    .sort((a, b) => (a.machine < b.machine ? -1 : a.machine > b.machine ? 1 : a.worker - b.worker));
  return [
    ...passed.map((hop, before) => ({
      hop,
      ...(before > 0 && { from: passed[before - 1] }),
    })),
    ...barred.map((hop) => ({ hop })),
  ];
}
