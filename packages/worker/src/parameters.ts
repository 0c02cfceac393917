import { receiveVector, type CoordinatorClient } from '@fourfold/common';
import type { ComputeMethods } from './compute-thread.js';
import type { Remote } from './thread-rpc.js';

export type NetworkName = 'generator' | 'discriminator';

/** Where parameters come from: a coordinator of a term, asked with patience for `silenceMs`. */
export interface ParameterOrigin {
  client: CoordinatorClient;
  term: number;
  silenceMs: number;
  signal: AbortSignal;
}

/**
 * Pull a network's vector at a stated version into `target`. Rejects with FAILED_PRECONDITION where the coordinator does
 * not have it any more.
 */
export async function pullParameters(
  { client, term, silenceMs, signal }: ParameterOrigin,
  network: NetworkName,
  version: number,
  target: Float32Array,
): Promise<void> {
  const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
  const call = client.PullParameters({
    term,
    network: network === 'generator' ? 'GENERATOR' : 'DISCRIMINATOR',
    version,
  });
  for await (const chunk of receiveVector(call, { begin: 0, length: target.length, silenceMs, signal })) {
    bytes.set(chunk.bytes, chunk.begin * Float32Array.BYTES_PER_ELEMENT);
  }
}

/** A vector on shared memory, so that the compute thread reads it without a copy. */
export const sharedVector = (length: number): Float32Array =>
  new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));

/** The versions of the parameters that the compute thread has. What it has is a cache. */
export function createParameterCache(compute: Remote<ComputeMethods>, lengths: Record<NetworkName, number>) {
  const buffers = new Map<NetworkName, Float32Array>();
  const versions = new Map<NetworkName, number>();
  return {
    /** See to it that the compute thread has this version. Rejects as `pullParameters` does. */
    async ensure(origin: ParameterOrigin, network: NetworkName, version: number): Promise<void> {
      if (versions.get(network) === version) return;
      versions.delete(network);
      const buffer = buffers.get(network) ?? sharedVector(lengths[network]);
      buffers.set(network, buffer);
      await pullParameters(origin, network, version, buffer);
      await compute.setParameters(network, buffer);
      versions.set(network, version);
    },
    /** Versions of another coordinator may be other parameters. */
    reset: (): void => versions.clear(),
  };
}

export type ParameterCache = ReturnType<typeof createParameterCache>;
