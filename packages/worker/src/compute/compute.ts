import { SHARE_ENV, Worker as Thread } from 'node:worker_threads';
import { createLogger } from '@fourfold/common/basics';
import type { ComputeMethods } from './compute-thread.js';
import { callThread, endThread, type Remote } from './thread-rpc.js';

/** Calls into the thread that owns TensorFlow.js; `start` comes first. */
export type Compute = Remote<ComputeMethods>;

/** Longer than any kernel of an evaluation picture takes. */
const endMs = 20_000;

/** Start a compute thread. `close` ends it, whatever it is doing; if a kernel hangs, it ends the whole process. */
export function startComputeThread(): { compute: Compute; close: () => Promise<void> } {
  // TensorFlow reads its settings from the process's environment, of which a thread otherwise has only a copy.
  const thread = new Thread(new URL('compute-thread.js', import.meta.url), { env: SHARE_ENV });
  return {
    compute: callThread<ComputeMethods>(thread),
    async close() {
      if (await endThread(thread, endMs)) return;
      // Node.js waits for its threads before it exits.
      createLogger('worker').fatal(
        { event: 'kernel-hangs' },
        `a kernel has not returned for ${endMs} ms: the process is killed`,
      );
      process.kill(process.pid, 'SIGKILL');
    },
  };
}
