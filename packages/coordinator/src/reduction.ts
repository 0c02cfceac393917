import { FourfoldError } from '@fourfold/common';
import type { GradientPiece, GradientSource } from './exchange.js';
import type { ReplicaOrder } from './replica-order.js';
import type { MasterState, Updater } from './updater.js';

export interface GradientPull {
  source: GradientSource;
  replica: number;
  /** Elements that the sum has already. */
  begin: number;
  silenceMs: number;
  signal: AbortSignal;
}

/**
 * Add a replica's gradient to the sum piece by piece as it comes, from element `begin` on, each piece once the replica
 * before has it in the sum. `order` hears how far the sum is: if the worker is lost half-way, the same gradient, computed
 * again elsewhere, goes on from there. Throws `unavailable` when the worker does not send, `mismatch` on a wrong piece,
 * `invalid` when a value is not finite.
 */
export async function pullGradient(
  { source, replica, begin, silenceMs, signal }: GradientPull,
  updater: Updater,
  state: MasterState,
  order: ReplicaOrder,
): Promise<void> {
  const { length } = state.vector;
  for await (const piece of source({ begin, length, silenceMs, signal })) {
    await order.reached(replica - 1, piece.begin + piece.count);
    signal.throwIfAborted();
    const { added, failure } = await accumulate(updater, state, piece, replica);
    order.advance(replica, piece.begin + added);
    if (failure?.code === 'invalid') {
      throw new FourfoldError('invalid', `the gradient holds NaN or infinity behind element ${piece.begin + added}`);
    }
    if (failure) throw failure;
  }
}

function accumulate(
  updater: Updater,
  state: MasterState,
  { begin, count, ...piece }: GradientPiece,
  replica: number,
): Promise<{ added: number; failure?: FourfoldError }> | { added: number; failure?: FourfoldError } {
  if ('shared' in piece) return updater.accumulateShared(state, { begin, count, ...piece.shared }, replica);
  if (updater.accumulate(state, begin, piece.bytes, replica === 0)) return { added: count };
  return { added: 0, failure: new FourfoldError('invalid', 'not finite') };
}
