import { parentPort, workerData } from 'node:worker_threads';
import { describeError, FourfoldError } from '@fourfold/common/errors';
import { readVectorSync } from '@fourfold/common/shared-file';
import { instantiateUpdateModule } from './update-module.js';
import type { ReducedRange, ThreadMemory, UpdateTask } from './update-threads.js';

/*
 * A thread of the updater. It carries out its tasks one after the other and answers each.
 */

const { memory, block, blockElements } = workerData as ThreadMemory;
const module = instantiateUpdateModule(memory);
const elementBytes = Float32Array.BYTES_PER_ELEMENT;
const padding = 4;

/** Add a range in blocks that stay in the processor's cache between reading and adding. */
function reduce({ descriptor, stamp, begin, count, sum, first }: UpdateTask & { type: 'reduce' }): ReducedRange {
  let added = 0;
  try {
    while (added < count) {
      const elements = Math.min(blockElements, count - added);
      const target = sum + added * elementBytes;
      // The first replica sets the sum: it is read into its place.
      const source = first ? target : block;
      readVectorSync(descriptor, stamp, begin + added, new Uint8Array(memory.buffer, source, elements * elementBytes));
      // The arithmetic goes in fours; behind the sum there are zeros already.
      if (!first) new Float32Array(memory.buffer, source + elements * elementBytes, padding).fill(0);
      if (!module.allFinite(source, elements)) throw new FourfoldError('invalid', 'not finite');
      if (!first) module.accumulate(target, source, elements, 0);
      added += elements;
    }
    return { added };
  } catch (error) {
    const code = error instanceof FourfoldError ? error.code : 'unavailable';
    return { added, failure: { code, reason: describeError(error) } };
  }
}

parentPort?.on('message', (task: UpdateTask) => {
  if (task.type === 'adam') module.adam(...task.args);
  parentPort?.postMessage(task.type === 'reduce' ? reduce(task) : undefined);
});
