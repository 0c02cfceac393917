import { elementBytesOf, isUnrounded } from '@fourfold/weights';
import { createMasterState } from './master-state.js';
import { stageUpdate } from './stage-update.js';
import { addressOf, createSums, spread } from './sums.js';
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
    async encodeParameters({ vector, wire, wires }) {
      if (isUnrounded(wires.parameters)) return;
      for (const { encoding, begin, count, byteBegin, byteLength } of wires.parameters.sections) {
        if (encoding === 'bf16') {
          await spread(count, threads, (from, to, thread) => {
            const target = wire.byteOffset + byteBegin + from * elementBytesOf({ encoding });
            return pool.run(thread, {
              type: 'round',
              source: addressOf(vector, begin + from),
              target,
              count: to - from,
            });
          });
        } else {
          wire.set(new Uint8Array(memory.buffer, addressOf(vector, begin), byteLength), byteBegin);
        }
      }
    },
    stage: (state, update) => stageUpdate({ module, pool, threads }, state, update),
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
