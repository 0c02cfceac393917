import tf = require('@tensorflow/tfjs-core');
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

const backend = () => tf.backend() as BackendWasm;

/** A view of a tensor's elements in wasm's memory, valid until the next allocation, which may move the memory. */
export const elements = (tensor: tf.Tensor): Float32Array => backend().typedArrayFromHeap(tensor) as Float32Array;

/**
 * A tensor of `shape`, initially uninitialised, which `fill` fills from the elements of x. For rearrangements of long runs:
 * TF.js's Slice on wasm copies its whole input first, Reverse and Gather take 0.1 us per element.
 */
export function rearranged<R extends tf.Rank>(
  x: tf.Tensor,
  shape: tf.ShapeMap[R],
  fill: (from: Float32Array, to: Float32Array) => void,
): tf.Tensor<R> {
  const y = tf.engine().makeTensorFromTensorInfo(backend().makeOutput(shape, 'float32'));
  fill(elements(x), elements(y));
  return y as tf.Tensor<R>;
}
