import type { BoardEvent, Step } from './board-events.js';
import type { BoardState } from './board-state.js';
import { answered, planned, progressed, rejected } from './lease-transitions.js';
import { added, cleared, finished, heldBack } from './task-transitions.js';
import { joined, left, rested, seen } from './worker-transitions.js';

/** The lease board's reducer: a pure function from its state and an event to the next state and what to do. */
export function reduce<Result>(state: BoardState, event: BoardEvent<Result>, nowMs: number): Step<Result> {
  switch (event.type) {
    case 'joined':
      return joined(state, event, nowMs);
    case 'left':
      return left(state, event);
    case 'seen':
      return seen(state, event, nowMs);
    case 'rested':
      return rested(state, event);
    case 'added':
      return added(state, event);
    case 'held-back':
      return heldBack(state, event);
    case 'finished':
      return finished(state, event);
    case 'cleared':
      return cleared(state);
    case 'progressed':
      return progressed(state, event, nowMs);
    case 'answered':
      return answered(state, event, nowMs);
    case 'rejected':
      return rejected(state, event, nowMs);
    case 'planned':
      return planned(state, nowMs);
  }
}
