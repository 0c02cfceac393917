import { pauseAfterLosses, type Loss } from '@fourfold/common';
import type { FailureStep, Moment } from './failure-events.js';
import { machinesNow, withEntry, withoutEntry, type FailureState } from './failure-state.js';

/*
 * Counts the workers that were lost without a message while they had a task: the task may be what kills them.
 */

/** After several losses the task is held back; the run ends when patience has run out. */
export function lostWith(state: FailureState, task: string, loss: Loss, { nowMs, random }: Moment): FailureStep {
  const losses = [...(state.losses.get(task) ?? []), loss];
  const circumstances = { machines: machinesNow(state, nowMs), patienceMs: state.latelyMs };
  const pauseMs = pauseAfterLosses(losses, circumstances, random);
  return {
    state: { ...state, losses: withEntry(state.losses, task, losses) },
    effects: pauseMs === 0 ? [] : [{ type: 'lost-again', task, losses, pauseMs }],
  };
}

/** A worker has done the task or a part of it, and survived it. */
export const survived = (state: FailureState, task: string): FailureState => ({
  ...state,
  losses: withoutEntry(state.losses, task),
});
