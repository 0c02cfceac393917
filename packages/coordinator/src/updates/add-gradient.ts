import { chunkBytes } from '@fourfold/rpc';
import { FourfoldError, type Network } from '@fourfold/common';
import type { Master } from './master.js';

/**
 * Add a replica's gradient, in the layout of the master's network, to the sum of the next update, which the `first` one begins. Replicas
 * are added in their order. Throws `invalid` if the gradient holds NaN or infinity.
 */
export function addGradient(master: Master, network: Network, gradient: Float32Array, first: boolean): void {
  const bytes = new Uint8Array(gradient.buffer, gradient.byteOffset, gradient.byteLength);
  for (let begin = 0; begin < bytes.byteLength; begin += chunkBytes) {
    const chunk = bytes.subarray(begin, begin + chunkBytes);
    if (!master.updater.accumulate(master.state(network), begin, chunk, first)) {
      throw new FourfoldError('invalid', `the ${network}’s gradient holds NaN or infinity`);
    }
  }
}
