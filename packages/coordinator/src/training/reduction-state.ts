import { FourfoldError, type ErrorCode } from '@fourfold/common';
import { reasonOf } from '@fourfold/rpc';
import type { LeaseBoard } from '../leases/lease-board.js';
import type { Answer, Work } from '../serve/work.js';
import type { ReportedFailure } from './failure-state.js';

/*
 * Where the reduction of one replica's gradient stands, and what follows from what happens. reduce-replicas.ts carries
 * it out.
 */

/** A worker's answer to the replica's lease. */
export type GradientOffer = Awaited<ReturnType<LeaseBoard<Work, Answer>['nextOffer']>>;

export type ReductionState =
  /** Earlier replicas come first. */
  | { name: 'queued' }
  /** A worker has to offer the gradient. */
  | { name: 'wanted' }
  /** A worker's gradient is being added, from where an earlier one stopped. */
  | { name: 'adding'; offer: GradientOffer }
  /** That broke off; it has to be reported before another one is wanted. */
  | { name: 'broken'; offer: GradientOffer; reported: ReportedFailure }
  /** The sum has all of it. */
  | { name: 'added'; losses: Record<string, number> }
  /** The iteration ends with this error. */
  | { name: 'failed'; error: unknown };

/** What happens in a state: its own next step, or an error. */
export type ReductionEvent =
  | { type: 'turn' }
  | { type: 'offered'; offer: GradientOffer }
  | { type: 'complete' }
  | { type: 'reported' }
  /** `isHalt`: the iteration is being given up, for another replica's error or an early stop. */
  | { type: 'error'; error: unknown; isHalt: boolean };

/** The state after an event. `key` names the replica's task in messages. Throws for an event that a state does not have. */
export function nextState(state: ReductionState, event: ReductionEvent, key: string): ReductionState {
  if (event.type === 'error') return afterError(state, event, key);
  if (state.name === 'queued' && event.type === 'turn') return { name: 'wanted' };
  if (state.name === 'wanted' && event.type === 'offered') return { name: 'adding', offer: event.offer };
  if (state.name === 'adding' && event.type === 'complete') return { name: 'added', losses: state.offer.result.losses };
  if (state.name === 'broken' && event.type === 'reported') return { name: 'wanted' };
  throw new Error(`a reduction that is ${state.name} has no ${event.type}`);
}

function afterError(
  state: ReductionState,
  { error, isHalt }: ReductionEvent & { type: 'error' },
  key: string,
): ReductionState {
  // An error of another kind is a fault of this process: another worker's gradient would fare no better.
  if (state.name !== 'adding' || isHalt || !(error instanceof FourfoldError)) return { name: 'failed', error };
  const { offer } = state;
  return { name: 'broken', offer, reported: whatFailed(error, key, offer.worker) };
}

/** What makes a gradient bad, and what to do about it. */
const hints: Partial<Record<ErrorCode, string>> = {
  invalid: 'lower the learning rate, or check the pictures of that iteration',
  mismatch: 'start all workers from one release with one config',
};

/** A bad gradient is an unusable answer; a failure in transit may be transient. */
function whatFailed(error: FourfoldError, key: string, worker: number): ReportedFailure {
  const reason = reasonOf(error);
  const hint = hints[error.code];
  if (hint === undefined) return { code: error.code, reason };
  return {
    code: 'bad-result',
    reason,
    error: (times) =>
      new FourfoldError('invalid', `${key}: ${times} bad gradients in a row, the last from worker ${worker}`, {
        hint,
        cause: error,
      }),
  };
}
