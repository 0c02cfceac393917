import { totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { cudaMemory, torchBackend } from '@fourfold/tfjs-torch';

/** Memory of the device that computes, in bytes: a GPU's, else that of the machine, or of the container where its limit is less. */
export interface DeviceMemory {
  /** In this thread's tensors. */
  tensors: number;
  /** Of a GPU: what this process has taken, for tensors that are there or will be. */
  reserved?: number;
  /** What all processes have taken. */
  used: number;
  size: number;
}

/** What the chosen backend's device has in memory now. A backend must have been selected. */
export function deviceMemory(): DeviceMemory {
  if (tf.getBackend() === 'torch' && torchBackend().device !== 'cpu') {
    const { allocated, reserved, free, total } = cudaMemory();
    return { tensors: allocated, reserved, used: total - free, size: total };
  }
  // Where nothing is limited Node.js tells 0 or more than there is.
  const size = Math.min(process.constrainedMemory() || Infinity, totalmem());
  return { tensors: tf.memory().numBytes, used: size - process.availableMemory(), size };
}
