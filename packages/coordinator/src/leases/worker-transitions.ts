import type { EventOf, Step } from './board-events.js';
import { counted, tasksOf, unanswered, withTask, type BoardState } from './board-state.js';

/*
 * What events of workers do to the board.
 */

export function joined(state: BoardState, { restsUntilMs, host }: EventOf<'joined'>, nowMs: number): Step<never> {
  const next = counted(state, 'joined');
  const id = next.counts.joined;
  const seats = state.seats.with(id, { id, lastSeenMs: nowMs, restsUntilMs, host });
  return { state: { ...next, seats }, effects: [{ type: 'plan' }] };
}

/** The worker's leases end, and its answers no longer count. */
export function left(state: BoardState, { worker, reason, isSilent }: EventOf<'left'>): Step<never> {
  if (!state.seats.has(worker)) return { state, effects: [] };
  const seats = state.seats.without(worker);
  const had = tasksOf(state, worker);
  const lost = isSilent ? (unanswered(state).get(worker) ?? []) : [];
  let next = counted({ ...state, seats }, 'left');
  for (const { key, leases } of had) {
    // An answered task has one lease, its worker's.
    next = withTask(next, key, { leases: leases.filter((lease) => lease.worker !== worker), isReady: false });
  }
  const discarded = had.filter(({ isReady }) => isReady);
  return {
    state: next,
    effects: [
      { type: 'drop', worker, reason, leases: had.map(({ key }) => key), lost },
      ...discarded.map(({ key }) => ({ type: 'discard', task: key }) as const),
      { type: 'plan' },
    ],
  };
}

export const seen = (state: BoardState, { worker }: EventOf<'seen'>, nowMs: number): Step<never> => ({
  state: withSeat(state, worker, { lastSeenMs: nowMs }),
  effects: [],
});

export const rested = (state: BoardState, { worker, untilMs }: EventOf<'rested'>): Step<never> => ({
  state: withSeat(state, worker, { restsUntilMs: untilMs }),
  effects: [],
});

function withSeat(
  state: BoardState,
  worker: number,
  change: { lastSeenMs?: number; restsUntilMs?: number },
): BoardState {
  const seat = state.seats.get(worker);
  return seat ? { ...state, seats: state.seats.with(worker, { ...seat, ...change }) } : state;
}
