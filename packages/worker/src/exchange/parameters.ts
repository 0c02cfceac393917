import { createWireVector, type WireVector } from '@fourfold/rpc';
import type { WireLayout } from '@fourfold/weights';
import type { ComputeMethods } from '../compute/compute-thread.js';
import type { Network } from '@fourfold/common';
import type { ParameterSource } from './exchange.js';
import type { Remote } from '../compute/thread-rpc.js';

/** A vector on shared memory, so that the compute thread reads it without a copy. */
export const sharedVector = (length: number): Float32Array =>
  new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));

/** The versions of the parameters in the compute thread, which are a cache. */
export function createParameterCache(compute: Remote<ComputeMethods>, layouts: Record<Network, WireLayout>) {
  const buffers = new Map<Network, WireVector>();
  const versions = new Map<Network, number>();
  return {
    /** Ensure that the compute thread has this version. Rejects as `ParameterSource.fetch` does. */
    async ensure(source: ParameterSource, network: Network, version: number): Promise<void> {
      if (versions.get(network) === version) return;
      versions.delete(network);
      const buffer = buffers.get(network) ?? createWireVector(layouts[network]);
      buffers.set(network, buffer);
      await source.fetch(network, version, buffer);
      await compute.setParameters(network, buffer.vector);
      versions.set(network, version);
    },
  };
}

export type ParameterCache = ReturnType<typeof createParameterCache>;
