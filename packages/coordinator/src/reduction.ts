import { FourfoldError } from '@fourfold/common';
import type { GradientSource } from './exchange.js';
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
  const elements = { begin, length: state.vector.length };
  const into = (at: number, count: number) => updater.pieceBuffer(state, replica, at, count);
  for await (const piece of source({ ...elements, silenceMs, signal }, into)) {
    const end = piece.begin + piece.bytes.byteLength / Float32Array.BYTES_PER_ELEMENT;
    await order.reached(replica - 1, end);
    signal.throwIfAborted();
    if (!updater.accumulate(state, piece.begin, piece.bytes, replica === 0)) {
      throw new FourfoldError('invalid', `the gradient holds NaN or infinity behind element ${piece.begin}`);
    }
    order.advance(replica, end);
  }
}
