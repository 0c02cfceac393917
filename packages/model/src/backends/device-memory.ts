import tf = require('@tensorflow/tfjs-core');
import { totalmem } from 'node:os';
import { cudaMemory } from '@fourfold/tfjs-torch/probe';
import { canCaptureGraphs } from './cuda-device.js';

/** Memory of the device that computes, in bytes: a GPU's, else the machine's or, where its limit is lower, the container's. */
export interface DeviceMemory {
  /** In this thread's tensors. */
  tensors: number;
  /** GPU only: what this process has allocated, for present and future tensors. */
  reserved?: number;
  /** By all processes. */
  used: number;
  size: number;
}

/** Current memory of the chosen backend's device. A backend must have been selected. */
export function deviceMemory(): DeviceMemory {
  if (canCaptureGraphs()) {
    const { allocated, reserved, free, total } = cudaMemory();
    return { tensors: allocated, reserved, used: total - free, size: total };
  }
  // Without a limit Node.js reports 0 or more than the machine has.
  const size = Math.min(process.constrainedMemory() || Infinity, totalmem());
  return { tensors: tf.memory().numBytes, used: size - process.availableMemory(), size };
}
