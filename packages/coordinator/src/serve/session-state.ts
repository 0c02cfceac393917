import { status } from '@grpc/grpc-js';
import type { TimingConfig } from '@fourfold/common';

/*
 * The states of a worker's control stream (`Join`), as a pure function of what happens on it.
 */

/** How long messages of a worker that has lost its seat are still read, to be refused and counted. */
export const lingerMs = 60_000;

export type SessionState =
  /** The first message must be a Register, or a Leaving. */
  | { name: 'registering' }
  /** The worker has a seat on the lease board. */
  | { name: 'seated' }
  /** A message was malformed: the worker is about to lose its seat. */
  | { name: 'malformed'; problem: string }
  /** The worker has lost its seat. Nothing has been heard of it since. */
  | { name: 'unseated'; reason: string }
  /** It has lost its seat, and is awake: what it has sent so far arrives, then it hears of its loss. */
  | { name: 'awake'; reason: string }
  /** The connection broke. Messages that had arrived are still read. */
  | { name: 'broken' }
  /** The stream ends without an error. */
  | { name: 'ended' }
  /** The stream ends with an error. */
  | { name: 'refused'; code: status; reason: string };

export type SessionEvent =
  /** The worker left before it registered. */
  | { type: 'left' }
  | { type: 'refused'; problem: string }
  | { type: 'admitted' }
  /** A message cannot be read. */
  | { type: 'malformed'; problem: string }
  /** The lease board took the worker's seat. */
  | { type: 'dropped'; reason: string }
  /** A message has been dealt with. */
  | { type: 'heard' }
  /** `waitMs` of the state has passed. */
  | { type: 'timed-out' }
  /** The worker closed its side. */
  | { type: 'closed' }
  | { type: 'broken' };

/** The next state; the same object where the event means nothing in this state. */
export function nextSession(state: SessionState, event: SessionEvent): SessionState {
  if (!isOpen(state)) return state;
  switch (event.type) {
    case 'closed':
      return { name: 'ended' };
    case 'broken':
      return { name: 'broken' };
    case 'left':
      return state.name === 'registering' ? { name: 'ended' } : state;
    case 'refused': {
      const refused = { name: 'refused', code: status.FAILED_PRECONDITION, reason: event.problem } as const;
      return state.name === 'registering' ? refused : state;
    }
    case 'admitted':
      return state.name === 'registering' ? { name: 'seated' } : state;
    case 'malformed':
      return state.name === 'seated' ? { name: 'malformed', problem: event.problem } : state;
    case 'dropped':
      return dropped(state, event.reason);
    case 'heard':
      return state.name === 'unseated' ? { name: 'awake', reason: state.reason } : state;
    case 'timed-out':
      return timedOut(state);
  }
}

function dropped(state: SessionState, reason: string): SessionState {
  if (state.name === 'malformed') return { name: 'refused', code: status.INVALID_ARGUMENT, reason };
  return state.name === 'seated' ? { name: 'unseated', reason } : state;
}

function timedOut(state: SessionState): SessionState {
  if (state.name === 'registering') {
    return { name: 'refused', code: status.DEADLINE_EXCEEDED, reason: 'no Register arrived' };
  }
  const isWaiting = state.name === 'unseated' || state.name === 'awake';
  return isWaiting ? { name: 'refused', code: status.ABORTED, reason: state.reason } : state;
}

/** Whether messages of the worker are read. */
export const isOpen = ({ name }: SessionState): boolean => name !== 'ended' && name !== 'refused';

/** How long a stream may stay in a state; undefined for no limit. */
export function waitMs(
  { name }: SessionState,
  { silenceMs, heartbeatMs }: Pick<TimingConfig, 'silenceMs' | 'heartbeatMs'>,
): number | undefined {
  if (name === 'registering') return silenceMs;
  if (name === 'unseated') return lingerMs;
  return name === 'awake' ? heartbeatMs : undefined;
}
