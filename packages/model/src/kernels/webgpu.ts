import { genericKernels } from './generic.js';
import { download } from './webgpu/download.js';
import type { Kernels } from './types.js';

/** Kernels for TF.js's WebGPU backend, which cannot block the thread until a result is there. */
export const webgpuKernels: Kernels = {
  ...genericKernels,
  download,
};
