import { copyBytes, FourfoldError, transferFailure } from '@fourfold/common';
import { readVectorSync } from '@fourfold/rpc';
import type { Layout, WireLayout } from '@fourfold/weights';
import { describePlace, describeUnusable, firstUnusable } from './bad-gradient.js';
import type { GradientPiece, GradientSource } from '../exchange/gradient-pieces.js';
import type { ReplicaOrder } from './replica-order.js';
import type { Added, MasterState, SharedBytes, Updater } from './types.js';

export interface GradientPull {
  source: GradientSource;
  /** Of the gradient's network, to name the tensor at fault. */
  layout: Pick<Layout, 'tensors'>;
  replica: number;
  /** Bytes of the wire vector that are already in the sum. */
  begin: number;
  silenceMs: number;
  signal: AbortSignal;
}

/** What adds gradients to sums. */
export type AddingUpdater = Pick<Updater, 'accumulate' | 'accumulateShared' | 'accumulateFactors'>;

/**
 * Add a replica's gradient to the sum piece by piece as it arrives, from byte `begin` on, each piece after the previous
 * replica's. `order` records how far the sum is: if the worker is lost half-way, the same gradient, computed again
 * elsewhere, continues from there. Throws `unavailable` if the worker does not send; `mismatch` on a wrong piece and
 * `invalid` on an unusable value, both naming the tensor. Any other error is this process's own fault.
 */
export async function pullGradient(
  { source, layout, replica, begin, silenceMs, signal }: GradientPull,
  updater: AddingUpdater,
  state: MasterState,
  order: ReplicaOrder,
): Promise<void> {
  const wire = state.wires.gradients;
  const place = (byte: number) => describePlace(wire, layout, byte);
  const pieces = source({ begin, layout: wire, silenceMs, signal });
  for await (const piece of nameFailure(pieces, () => place(order.of(replica)))) {
    await order.reached(replica - 1, piece.begin + piece.byteLength);
    if (signal.aborted) throw new FourfoldError('unavailable', 'its worker was lost');
    const { added, failure } = await accumulate(updater, state, wire, piece, replica);
    order.advance(replica, piece.begin + added);
    if (failure?.code === 'invalid') {
      const { at, value } = firstUnusable(wire, piece, piece.begin + added);
      // Of factors only the product is known to be unusable.
      const what = value === undefined ? failure.message : describeUnusable(value);
      throw new FourfoldError('invalid', `${what} in ${place(at)}`);
    }
    if (failure) throw failure;
  }
}

async function* nameFailure(pieces: AsyncIterable<GradientPiece>, place: () => string): AsyncGenerator<GradientPiece> {
  try {
    yield* pieces;
  } catch (error) {
    const cause = transferFailure(error);
    if (cause.code !== 'mismatch') throw cause;
    throw new FourfoldError('mismatch', `the gradient has a different shape at ${place()}`, { cause });
  }
}

function accumulate(
  updater: AddingUpdater,
  state: MasterState,
  { sections }: WireLayout,
  piece: GradientPiece,
  replica: number,
): Promise<Added> | Added {
  const { begin, byteLength } = piece;
  if (sections.some((section) => section.encoding === 'factors' && section.byteBegin === begin)) {
    const read = (target: Uint8Array) => {
      if ('shared' in piece) readShared(piece.shared, begin, target);
      else copyBytes(piece.bytes, target);
    };
    return updater.accumulateFactors(state, begin, read, replica === 0);
  }
  if ('shared' in piece) return updater.accumulateShared(state, { begin, byteLength, ...piece.shared }, replica);
  if (updater.accumulate(state, begin, piece.bytes, replica === 0)) return { added: byteLength };
  return { added: 0, failure: new FourfoldError('invalid', 'not usable') };
}

function readShared({ descriptor, stamp }: SharedBytes, begin: number, target: Uint8Array): void {
  try {
    readVectorSync(descriptor, stamp, begin, target);
  } catch (error) {
    throw transferFailure(error);
  }
}
