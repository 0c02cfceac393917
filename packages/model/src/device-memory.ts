import * as tf from '@tensorflow/tfjs-core';
import { cudaMemory, torchBackend } from '@fourfold/tfjs-torch';

/** Memory of the device that computes, in bytes. */
export interface DeviceMemory {
  /** In this thread's tensors. */
  tensors: number;
  /** Of a GPU. */
  gpu?: {
    /** What this process has taken, for tensors that are there or will be. */
    reserved: number;
    /** What all processes have taken. */
    used: number;
    size: number;
  };
}

/** What the chosen backend's device has in memory now. A backend must have been selected. */
export function deviceMemory(): DeviceMemory {
  if (tf.getBackend() !== 'torch' || torchBackend().device === 'cpu') return { tensors: tf.memory().numBytes };
  const { allocated, reserved, free, total } = cudaMemory();
  return { tensors: allocated, gpu: { reserved, used: total - free, size: total } };
}
