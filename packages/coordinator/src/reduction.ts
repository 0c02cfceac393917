import { setTimeout as delay } from 'node:timers/promises';
import { checkChunk, FourfoldError, type Token__Output, type WorkerClient } from '@fourfold/common';
import type { MasterState, Updater } from './updater.js';

/**
 * Pull a replica's gradient from the worker that holds it and add it to the sum, chunk by chunk as it comes, from
 * element `begin` on. `onProgress` hears how far the sum is: if the worker is lost half-way, the same gradient, computed
 * again elsewhere, goes on from there. Throws `unavailable` when no byte comes for `silenceMs`, `mismatch` on a wrong
 * chunk, `invalid` when a value is not finite.
 */
export async function pullGradient(
  pull: {
    client: WorkerClient;
    token: Token__Output;
    begin: number;
    first: boolean;
    silenceMs: number;
    signal: AbortSignal;
  },
  updater: Updater,
  state: MasterState,
  onProgress: (elements: number) => void,
): Promise<void> {
  const call = pull.client.PullGradient({ token: pull.token, begin: pull.begin });
  const cancel = () => call.cancel();
  pull.signal.addEventListener('abort', cancel);
  let at = pull.begin;
  try {
    const chunks = call[Symbol.asyncIterator]();
    while (at < state.vector.length) {
      const next = await withTimeout(chunks.next(), pull.silenceMs);
      if (next.done)
        throw new FourfoldError('unavailable', `the gradient ended at element ${at} of ${state.vector.length}`);
      const bytes = checkChunk(next.value as Parameters<typeof checkChunk>[0], at, state.vector.length);
      if (!updater.accumulate(state, at, bytes, pull.first)) {
        throw new FourfoldError('invalid', `the gradient holds NaN or infinity behind element ${at}`);
      }
      at += bytes.byteLength / Float32Array.BYTES_PER_ELEMENT;
      onProgress(at);
    }
  } finally {
    pull.signal.removeEventListener('abort', cancel);
    call.on('error', () => undefined);
    call.cancel();
  }
}

async function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  const stop = new AbortController();
  const timeout = delay(timeoutMs, undefined, { signal: stop.signal }).then(() => {
    throw new FourfoldError('unavailable', `no gradient byte came for ${timeoutMs} ms`);
  });
  timeout.catch(() => undefined);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    stop.abort();
  }
}
