import { createMasterState } from './master-state.js';
import { stageUpdate } from './stage-update.js';
import { encodeRange } from './stage-wire.js';
import { createSums } from './sums.js';
import { instantiateUpdateModule } from './update-module.js';
import { startUpdateThreads } from './update-threads.js';
import { planMemory } from './updater-memory.js';
import type { UpdatedNetwork, Updater } from './types.js';

/** What a thread copies at once: a millisecond's work, for which other tasks wait. */
const copiedBytes = 4 << 20;

/**
 * The coordinator's arithmetic over one shared WebAssembly memory, spread over `threads` threads besides this one. The
 * bits do not depend on the number of threads. `chunkBytes` is the most that `accumulate` takes.
 */
export function createUpdater(networks: readonly UpdatedNetwork[], threads: number, chunkBytes: number): Updater {
  const plan = planMemory(networks, chunkBytes, threads);
  const memory = new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages, shared: true });
  const module = instantiateUpdateModule(memory);
  const states = networks.map((network, i) => createMasterState(network, plan.addresses[i], memory.buffer));
  const pool = startUpdateThreads(plan.blocks.map((block) => ({ memory, block, blockBytes: plan.blockBytes })));
  return {
    states,
    ...createSums({ module, pool, memory: memory.buffer, places: plan, chunkBytes, threads }),
    encodeParameters: ({ committed, wires, length }) =>
      encodeRange({ pool, threads }, committed, wires, { begin: 0, end: length }),
    stage: (state, update, options) => stageUpdate({ module, pool, threads }, state, update, options),
    async copy(vector, target) {
      for (let begin = 0, thread = 0; begin < vector.byteLength; begin += copiedBytes, thread++) {
        const byteLength = Math.min(copiedBytes, vector.byteLength - begin);
        const source = vector.byteOffset + begin;
        const at = target.byteOffset + begin;
        await pool
          .run(thread % threads, { type: 'copy', source, byteLength, target: target.buffer, at })
          .catch(() => target.set(new Uint8Array(memory.buffer, source, byteLength), begin));
      }
    },
    close: () => pool.close(),
  };
}
