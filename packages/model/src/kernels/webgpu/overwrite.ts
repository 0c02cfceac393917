import type tf = require('@tensorflow/tfjs-core');
import { submit, webgpuBackend } from './backend.js';

/** Overwrite tensors with a vector's values, one after the other, in the buffers that they have. */
export function overwrite(tensors: tf.Tensor[], vector: Float32Array): void {
  const backend = webgpuBackend();
  // The queue writes before it starts what is submitted later, so what reads the values of before goes first.
  submit(backend);
  let offset = 0;
  for (const { dataId, size } of tensors) {
    const data = backend.tensorMap.get(dataId);
    // A copy in memory of its own: Dawn crashes on shared memory.
    const values = vector.slice(offset, offset + size);
    if (data.resource) backend.device.queue.writeBuffer(data.resource, 0, values);
    else data.values = values;
    offset += size;
  }
}
