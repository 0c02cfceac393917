import type { Token__Output } from '@fourfold/rpc';
import { noLeases, type LeaseCounts } from './lease-counts.js';
import type { LeaseView, TaskView, WorkerView } from './plan.js';
import { Table } from './table.js';
import type { UsualTimes } from './usual-time.js';

/*
 * The state of the lease board, and what can be read from it. Plain data: callbacks and results stay in board-effects.ts.
 */

/** Leases that a worker holds: it computes one and prepares the other. */
export const leasesAWorker = 2;

export interface BoardRules {
  term: number;
  /** How long a worker may take for one lease. */
  leaseMs: number;
  /** A worker that is silent for longer counts as lost. */
  silenceMs: number;
  /** How many times the usual time a lease may take before an idle worker also gets the task; 0 for no limit. */
  stragglerFactor: number;
  minimumToStart: number;
  minimumToContinue: number;
}

/** A lease with a valid token. */
export interface Lease extends LeaseView {
  token: Token__Output;
}

/** What is known of a task before anyone works on it. */
export interface TaskFacts {
  key: string;
  /** Lower goes first. */
  priority: number;
  /** Tasks of a kind take about as long; one that takes much longer is also given to an idle worker. */
  kind?: string;
  /** Tasks with the same subject fail for the same reasons. Defaults to `key`. */
  subject?: string;
  /** Of tasks that are spread in blocks: see `TaskView`. */
  place?: number;
  /** Logged with the task's events. */
  about?: Readonly<Record<string, unknown>>;
}

export interface TaskState extends TaskFacts, TaskView {
  leases: readonly Lease[];
  /** Its workers report progress, which renews their leases. */
  hasProgress: boolean;
  /** The numbers of the tokens under which it has been granted, whether they are valid or not. */
  granted: readonly number[];
}

export interface BoardState {
  rules: BoardRules;
  /** The workers with a seat. */
  seats: Table<number, WorkerView>;
  tasks: Table<string, TaskState>;
  /** By the number of a token under which it has been granted: the key of each task. */
  granted: Table<number, string>;
  /** By cache: the worker that keeps it. */
  caches: ReadonlyMap<number, number>;
  usual: UsualTimes;
  counts: Readonly<LeaseCounts>;
  /** There have been `minimumToStart` workers. */
  hasStarted: boolean;
}

export const emptyBoard = (rules: BoardRules): BoardState => ({
  rules,
  seats: Table.empty(),
  tasks: Table.empty(),
  granted: Table.empty(),
  caches: new Map(),
  usual: new Map(),
  counts: noLeases(),
  hasStarted: false,
});

/** How long a lease is valid: a worker's second lease waits for the first. */
export const wholeLeaseMs = ({ leaseMs }: BoardRules): number => leaseMs * leasesAWorker;

/** Nothing is granted to fewer workers. */
export const minimumWorkers = ({ hasStarted, rules }: BoardState): number =>
  hasStarted ? rules.minimumToContinue : rules.minimumToStart;

/** The task and the lease of a valid token. */
export function findLease(
  { tasks, granted }: BoardState,
  token: Token__Output,
): { task: TaskState; lease: Lease } | undefined {
  const task = tasks.get(granted.get(token.number) ?? '');
  const lease = task?.leases.find((held) => held.token.term === token.term && held.token.number === token.number);
  return task && lease && { task, lease };
}

/** The tasks of which a worker has a lease. */
export const tasksOf = ({ tasks }: BoardState, worker: number): TaskState[] =>
  tasks.values().filter(({ leases }) => leases.some((lease) => lease.worker === worker));

/** By worker: the keys of the tasks that it has still to answer. */
export function unanswered({ tasks }: BoardState): Map<number, string[]> {
  const keys = new Map<number, string[]>();
  for (const { key, isReady, leases } of tasks.values()) {
    if (isReady) continue;
    for (const { worker } of leases) {
      const ofWorker = keys.get(worker);
      if (ofWorker) ofWorker.push(key);
      else keys.set(worker, [key]);
    }
  }
  return keys;
}

/** The state with some fields of a task replaced. */
export const withTask = (state: BoardState, key: string, change: Partial<TaskState>): BoardState => {
  const task = state.tasks.get(key);
  return task ? { ...state, tasks: state.tasks.with(key, { ...task, ...change }) } : state;
};

/** The state with some counts raised by one. */
export const counted = (state: BoardState, ...names: (keyof LeaseCounts)[]): BoardState => {
  const counts = { ...state.counts };
  for (const name of names) counts[name]++;
  return { ...state, counts };
};
