import { FourfoldError, receiveVector, type Token__Output, type WorkerClient } from '@fourfold/common';
import type { MasterState, Updater } from './updater.js';

export interface GradientPull {
  client: WorkerClient;
  token: Token__Output;
  /** Elements that the sum has already. */
  begin: number;
  /** The replica is the first: it sets the sum that the others add to. */
  first: boolean;
  silenceMs: number;
  signal: AbortSignal;
}

/**
 * Pull a replica's gradient from the worker that holds it and add it to the sum, chunk by chunk as it comes, from
 * element `begin` on. `onProgress` hears how far the sum is: if the worker is lost half-way, the same gradient, computed
 * again elsewhere, goes on from there. Throws `unavailable` when the worker does not send, `mismatch` on a wrong chunk,
 * `invalid` when a value is not finite.
 */
export async function pullGradient(
  { client, token, begin, first, silenceMs, signal }: GradientPull,
  updater: Updater,
  state: MasterState,
  onProgress: (elements: number) => void,
): Promise<void> {
  const call = client.PullGradient({ token, begin });
  const { length } = state.vector;
  for await (const chunk of receiveVector(call, { begin, length, silenceMs, signal })) {
    if (!updater.accumulate(state, chunk.begin, chunk.bytes, first)) {
      throw new FourfoldError('invalid', `the gradient holds NaN or infinity behind element ${chunk.begin}`);
    }
    onProgress(chunk.begin + chunk.bytes.byteLength / Float32Array.BYTES_PER_ELEMENT);
  }
}
