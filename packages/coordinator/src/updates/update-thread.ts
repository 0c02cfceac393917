import { parentPort, workerData } from 'node:worker_threads';
import { copyBytes, describeError, FourfoldError, transferFailure } from '@fourfold/common/basics';
import { readVectorSync } from '@fourfold/rpc/shared-file';
import { elementBytesOf } from '@fourfold/weights';
import { arithmeticOf, instantiateUpdateModule } from './update-module.js';
import type { ReducedRange, ThreadMemory, UpdateTask } from './update-threads.js';

/*
 * A thread of the updater. It does its tasks one after the other and answers each.
 */

const { memory, block, blockBytes } = workerData as ThreadMemory;
const module = instantiateUpdateModule(memory);
const f32Bytes = Float32Array.BYTES_PER_ELEMENT;

/** Add a range in blocks that stay in the processor's cache between reading and adding them. */
function reduce(range: UpdateTask & { type: 'reduce' }): ReducedRange {
  const { descriptor, stamp, begin, encoding, count, sum, rounded, first } = range;
  const { allUsable, accumulate } = arithmeticOf(module, encoding);
  const elementBytes = elementBytesOf({ encoding });
  let added = 0;
  try {
    while (added < count) {
      const elements = Math.min(blockBytes / elementBytes, count - added);
      const target = sum + added * f32Bytes;
      // The first replica sets the sum: float32 is read directly into it.
      const isInPlace = first && encoding === 'f32';
      const source = isInPlace ? target : block;
      const bytes = new Uint8Array(memory.buffer, source, elements * elementBytes);
      readVectorSync(descriptor, stamp, begin + added * elementBytes, bytes);
      if (!allUsable(source, elements)) throw new FourfoldError('invalid', 'not usable');
      if (!isInPlace) accumulate(target, source, elements, first ? 1 : 0);
      module.roundInPlace(target, Math.min(elements, Math.max(0, rounded - added)));
      added += elements;
    }
    return { added };
  } catch (error) {
    // Any other error is this thread's fault: the thread dies, and the run gets the reason.
    const failure = transferFailure(error);
    return { added, failure: { code: failure.code, reason: describeError(failure) } };
  }
}

function product({ range, first, isRounded }: UpdateTask & { type: 'product' }): void {
  module.addProduct(range, { address: block, count: blockBytes / f32Bytes }, first ? 1 : 0);
  const { sum, outputs, begin, end } = range;
  if (isRounded) module.roundInPlace(sum + begin * outputs * f32Bytes, (end - begin) * outputs);
}

function run(task: UpdateTask): ReducedRange | number | boolean | undefined {
  switch (task.type) {
    case 'adam':
      return module.adam(task.range);
    case 'deltas':
      return module.takeDeltas(task.range);
    case 'product':
      product(task);
      return undefined;
    case 'round':
      module.roundToBf16(task.source, task.target, task.count);
      return undefined;
    case 'copy':
      copyBytes(
        new Uint8Array(memory.buffer, task.source, task.byteLength),
        new Uint8Array(task.target, task.at, task.byteLength),
      );
      return undefined;
    case 'squares':
      return module.sumOfSquares(task.source, task.count);
    case 'reduce':
      return reduce(task);
  }
}

parentPort?.on('message', (task: UpdateTask) => parentPort?.postMessage(run(task)));
