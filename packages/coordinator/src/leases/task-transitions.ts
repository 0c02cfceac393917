import { FourfoldError } from '@fourfold/common';
import type { Effect, EventOf, Step } from './board-events.js';
import { withTask, type BoardState, type TaskState } from './board-state.js';

/*
 * What events of tasks do to the board.
 */

export function added(state: BoardState, { task, hasProgress, cache }: EventOf<'added'>): Step<never> {
  const preferredWorker = cache === undefined ? undefined : state.caches.get(cache);
  const fresh = { leases: [], isReady: false, grants: 0, failedWorkers: new Map<number, number>() };
  const tasks = new Map(state.tasks).set(task.key, { ...task, hasProgress, preferredWorker, ...fresh });
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
  const tasks = new Map(state.tasks);
  tasks.delete(key);
  const caches = cache === undefined ? state.caches : new Map(state.caches).set(cache, task.leases[0].worker);
  return { state: { ...state, tasks, caches }, effects: endsOf(task) };
}

export const cleared = (state: BoardState): Step<never> => ({
  state: { ...state, tasks: new Map() },
  effects: [...state.tasks.values()].flatMap(endsOf),
});

const endsOf = ({ leases }: TaskState): Effect<never>[] =>
  leases.map(({ worker, token }) => ({ type: 'end', worker, token }));
