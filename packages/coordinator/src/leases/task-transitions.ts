import { FourfoldError } from '@fourfold/common';
import type { Effect, EventOf, Step } from './board-events.js';
import { withTask, type BoardState, type TaskState } from './board-state.js';
import { Table } from './table.js';

/*
 * What events of tasks do to the board.
 */

export function added(state: BoardState, { task, hasProgress, cache }: EventOf<'added'>): Step<never> {
  const preferredWorker = cache === undefined ? undefined : state.caches.get(cache);
  const fresh = { leases: [], isReady: false, granted: [], failedWorkers: new Map<number, number>() };
  const tasks = state.tasks.with(task.key, { ...task, hasProgress, preferredWorker, ...fresh });
  return { state: { ...state, tasks }, effects: [] };
}

export const heldBack = (state: BoardState, { task, untilMs }: EventOf<'held-back'>): Step<never> => ({
  state: withTask(state, task, { restsUntilMs: untilMs }),
  effects: [],
});

/** Throws if the task has no answer. */
export function finished(state: BoardState, { task: key, cache }: EventOf<'finished'>): Step<never> {
  const task = state.tasks.get(key);
  if (!task?.isReady) throw new FourfoldError('conflict', `${key} has no holder`);
  const tasks = state.tasks.without(key);
  const granted = task.granted.reduce((left, number) => left.without(number), state.granted);
  const caches = cache === undefined ? state.caches : new Map(state.caches).set(cache, task.leases[0].worker);
  return { state: { ...state, tasks, granted, caches }, effects: endsOf(task) };
}

export const cleared = (state: BoardState): Step<never> => ({
  state: { ...state, tasks: Table.empty(), granted: Table.empty() },
  effects: state.tasks.values().flatMap(endsOf),
});

const endsOf = ({ leases }: TaskState): Effect<never>[] =>
  leases.map(({ worker, token }) => ({ type: 'end', worker, token }));
