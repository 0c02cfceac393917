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

/** From whom a worker gets parameters, the coordinator if from nobody else, and how long it waits for them. */
export interface ParameterHop<Hop> {
  hop: Hop;
  from?: Hop;
  silenceMs: number;
}

/**
 * Each worker gets parameters from the one before it, workers of one host in sequence, and the first from the coordinator. One that is
 * barred gets them from the coordinator and passes them to nobody. Each waits a little longer than the one before it, from half of
 * `silenceMs` to all of it: the one behind a silent worker gives up first, and those after it wait on.
 */
export function parameterRoute<Hop extends SeatedHop>(seated: readonly Hop[], silenceMs: number): ParameterHop<Hop>[] {
  const barred = seated.filter(({ isBarred }) => isBarred);
  const passed = seated
    .filter(({ isBarred }) => !isBarred)
    .sort((a, b) => (a.machine < b.machine ? -1 : a.machine > b.machine ? 1 : a.worker - b.worker));
  return [
    ...passed.map((hop, before) => ({
      hop,
      ...(before > 0 && { from: passed[before - 1] }),
      silenceMs: Math.round((silenceMs / 2) * (1 + before / passed.length)),
    })),
    ...barred.map((hop) => ({ hop, silenceMs })),
  ];
}
