import { SHARE_ENV, Worker as Thread } from 'node:worker_threads';
import type { ComputeMethods } from './compute-thread.js';
import { callThread, type Remote } from './thread-rpc.js';

/** Calls into the thread that owns TensorFlow.js; `start` comes first. */
export type Compute = Remote<ComputeMethods>;

/** Start a compute thread. `close` ends it, whatever it is doing. */
export function startComputeThread(): { compute: Compute; close: () => Promise<void> } {
  // TensorFlow reads its settings from the process's environment, which a thread otherwise only has a copy of.
  const thread = new Thread(new URL('compute-thread.js', import.meta.url), { env: SHARE_ENV });
  return {
    compute: callThread<ComputeMethods>(thread),
    async close() {
      await thread.terminate();
    },
  };
}
