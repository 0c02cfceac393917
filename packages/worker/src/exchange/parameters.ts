import { createViewVector, createWireVector, type WireVector } from '@fourfold/rpc';
import type { NetworkWires } from '@fourfold/weights';
import type { ComputeMethods } from '../compute/compute-thread.js';
import type { Network } from '@fourfold/common';
import type { ParameterSource } from './exchange.js';
import type { Remote } from '../compute/thread-rpc.js';

/** A vector on shared memory, so that the compute thread reads it without a copy. */
export const sharedVector = (length: number): Float32Array =>
  new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));

/** A network's parameters in this worker: a cache. */
interface Held {
  buffer: WireVector;
  /** The version in the buffer, and the one in the compute thread. */
  fetched?: number;
  loaded?: number;
  /** The newest call's work. */
  turn: Promise<void>;
}

/** The versions of one coordinator's parameters. A network's calls take turns. */
export function createParameterCache(
  compute: Pick<Remote<ComputeMethods>, 'setParameters'>,
  wires: Record<Network, Pick<NetworkWires, 'parameters' | 'deltas'>>,
) {
  const all = new Map<Network, Held>();

  const heldOf = (network: Network): Held => {
    const { parameters, deltas } = wires[network];
    const made = () => ({
      buffer: deltas ? createViewVector(deltas) : createWireVector(parameters),
      turn: Promise.resolve(),
    });
    const held = all.get(network) ?? made();
    all.set(network, held);
    return held;
  };
  const fetch = async (source: ParameterSource, network: Network, version: number): Promise<void> => {
    const held = heldOf(network);
    const before = held.fetched;
    if (before === version) return;
    const changing = () => {
      // A failure may leave anything.
      held.fetched = undefined;
    };
    await source.fetch(network, version, held.buffer, { held: before, changing });
    held.fetched = version;
  };
  const load = async (source: ParameterSource, network: Network, version: number): Promise<void> => {
    const held = heldOf(network);
    if (held.loaded === version) return;
    await fetch(source, network, version);
    held.loaded = undefined;
    await compute.setParameters(network, held.buffer.vector);
    held.loaded = version;
  };
  const inTurn = (network: Network, act: () => Promise<void>): Promise<void> => {
    const held = heldOf(network);
    held.turn = held.turn.catch(() => undefined).then(act);
    return held.turn;
  };

  return {
    /** Ensure that the compute thread has this version. Rejects as `ParameterSource.fetch` does. */
    ensure: async (source: ParameterSource, network: Network, version: number): Promise<void> => {
      // The next version may be on its way, and will not be there before this one has been computed with.
      if (heldOf(network).loaded === version) return;
      await inTurn(network, () => load(source, network, version));
    },
    /** Fetch a version before it is needed. A failure shows when it is. */
    prefetch: (source: ParameterSource, network: Network, version: number): Promise<void> =>
      inTurn(network, () => fetch(source, network, version)).catch(() => undefined),
  };
}

export type ParameterCache = ReturnType<typeof createParameterCache>;
