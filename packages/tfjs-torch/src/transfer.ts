import tf = require('@tensorflow/tfjs-core');
import type { Tensor } from '@tensorflow/tfjs-core';
import { torchBackend } from './backend.js';
import type { NumericArray } from './native.js';

const { engine } = tf;

/** Copy a tensor's elements to `target` without allocating an array. */
export const readInto = (tensor: Tensor, target: NumericArray): void => torchBackend().readInto(tensor, target);

/** The same in parallel with the computation, CUDA only: see TorchBackend.readBeside. */
export const readBeside = (tensor: Tensor, target: NumericArray): void => torchBackend().readBeside(tensor, target);

/** A float tensor of 8-bit levels: level * scale + shift. Only a quarter of the float's bytes are copied to the device. */
export function picturesTensor(levels: Uint8Array, shape: number[], scale: number, shift: number): Tensor {
  return engine().makeTensorFromTensorInfo(torchBackend().fromLevels(levels, shape, scale, shift));
}
