import { createViewVector, createWireVector, type WireVector } from '@fourfold/rpc';
import type { NetworkWires } from '@fourfold/weights';
import type { ComputeMethods } from '../compute/compute-thread.js';
import type { Network } from '@fourfold/common';
import type { ParameterSource } from './exchange.js';
import type { Remote } from '../compute/thread-rpc.js';

/** A vector on shared memory, so that the compute thread reads it without a copy. */
export const sharedVector = (length: number): Float32Array =>
  new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));

/** The versions of one coordinator's parameters in the compute thread, which are a cache. */
export function createParameterCache(
  compute: Pick<Remote<ComputeMethods>, 'setParameters'>,
  wires: Record<Network, Pick<NetworkWires, 'parameters' | 'deltas'>>,
) {
  const buffers = new Map<Network, WireVector>();
  const versions = new Map<Network, number>();
  /** The newest call for each network. */
  const turns = new Map<Network, Promise<void>>();

  const bufferOf = (network: Network): WireVector => {
    const { parameters, deltas } = wires[network];
    const buffer = buffers.get(network) ?? (deltas ? createViewVector(deltas) : createWireVector(parameters));
    buffers.set(network, buffer);
    return buffer;
  };
  const replace = async (source: ParameterSource, network: Network, version: number): Promise<void> => {
    const held = versions.get(network);
    if (held === version) return;
    // A failure may leave anything.
    versions.delete(network);
    const buffer = bufferOf(network);
    await source.fetch(network, version, buffer, held);
    await compute.setParameters(network, buffer.vector);
    versions.set(network, version);
  };

  return {
    /**
     * Ensure that the compute thread has this version. A network's calls take turns: one that failed for the other network may
     * leave this one's transfer under way. Rejects as `ParameterSource.fetch` does.
     */
    ensure(source: ParameterSource, network: Network, version: number): Promise<void> {
      const before = turns.get(network) ?? Promise.resolve();
      const turn = before.catch(() => undefined).then(() => replace(source, network, version));
      turns.set(network, turn);
      return turn;
    },
  };
}

export type ParameterCache = ReturnType<typeof createParameterCache>;
