import { growingPauseMs, type Failure, type FailureCode, type FourfoldError, type Loss } from '@fourfold/common';

/*
 * What the coordinator remembers of failures, and what can be read from it. Plain data: failures.ts keeps it.
 */

/** A failure as a worker, or the coordinator itself, reports it. */
export interface ReportedFailure {
  code: FailureCode;
  reason: string;
  /** The error that ends the run, if it ends, after `times` tries. */
  error?: (times: number) => FourfoldError;
}

/** A failure for which a process has left, or an unusable answer. */
export interface Standing extends Failure {
  /** Its subject; tasks with the same subject fail for the same reasons. */
  subject: string;
  /** Once a worker has done this task, the failure says nothing about other machines. */
  task?: string;
}

export interface Seated {
  machine: string;
  joinedMs: number;
  /** Failures since its last success. */
  inARow: number;
}

/** A machine whose processes ended. */
interface Unfit {
  times: number;
  /** When the last one did. */
  lastMs: number;
}

export interface FailureState {
  /** A machine that was away for this long no longer counts; a lease that is lost repeatedly is retried for as long. */
  latelyMs: number;
  /** The workers with a seat. */
  seats: ReadonlyMap<number, Seated>;
  /** When a machine without a seat was last seen. */
  lastSeenMs: ReadonlyMap<string, number>;
  /** When the last seat became empty. */
  seatlessSinceMs: number;
  /** Failures that no success has disproved. */
  standing: readonly Standing[];
  /** By task, then by worker: how often each has failed at it. */
  tries: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Useless answers by task, from any worker. */
  badResults: ReadonlyMap<string, readonly Standing[]>;
  unfit: ReadonlyMap<string, Unfit>;
  /** By task: workers lost with it, since any worker last made progress. */
  losses: ReadonlyMap<string, readonly Loss[]>;
  /** Processes that could not start. */
  failedStarts: number;
}

export const noFailures = (latelyMs: number, nowMs: number): FailureState => ({
  latelyMs,
  seats: new Map(),
  lastSeenMs: new Map(),
  seatlessSinceMs: nowMs,
  standing: [],
  tries: new Map(),
  badResults: new Map(),
  unfit: new Map(),
  losses: new Map(),
  failedStarts: 0,
});

/** The machines seen lately. */
export function machinesNow({ seats, lastSeenMs, latelyMs }: FailureState, nowMs: number): Set<string> {
  const lately = [...lastSeenMs].flatMap(([machine, seenMs]) => (nowMs - seenMs > latelyMs ? [] : [machine]));
  return new Set([...lately, ...[...seats.values()].map(({ machine }) => machine)]);
}

/** For a machine whose workers keep ending while others do well. */
const machinePauses = { firstMs: 2_000, longestMs: 600_000 };

/** How long a worker of this machine gets no work while other workers are free; undefined if it may have some. */
export function restOf({ unfit }: FailureState, machine: string, random: () => number) {
  const found = unfit.get(machine);
  if (!found || found.times < 2) return undefined;
  const pauseMs = growingPauseMs(found.times - 1, machinePauses, random);
  return { times: found.times, pauseMs, untilMs: found.lastMs + pauseMs };
}

/** The state in which a machine was seen now. Machines that were away for too long are forgotten. */
export function withMachineSeen(state: FailureState, machine: string, nowMs: number): FailureState {
  const kept = [...state.lastSeenMs].filter(([, seenMs]) => nowMs - seenMs <= state.latelyMs);
  return { ...state, lastSeenMs: new Map(kept).set(machine, nowMs) };
}

/** The map with one entry replaced. */
export const withEntry = <Key, Value>(map: ReadonlyMap<Key, Value>, key: Key, value: Value): ReadonlyMap<Key, Value> =>
  new Map(map).set(key, value);

/** The map without an entry. */
export function withoutEntry<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key): ReadonlyMap<Key, Value> {
  if (!map.has(key)) return map;
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}
