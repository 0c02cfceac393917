import type tf = require('@tensorflow/tfjs-core');
import type { Kernels } from './types.js';

/** `download` by a function that reads one tensor. */
export const oneByOne =
  (read: (tensor: tf.Tensor, target: Float32Array) => void): Kernels['download'] =>
  (tensors, target) => {
    let offset = 0;
    for (const tensor of tensors) {
      read(tensor, target.subarray(offset, offset + tensor.size));
      offset += tensor.size;
    }
  };
