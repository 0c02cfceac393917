import * as tf from '@tensorflow/tfjs-core';
import { genericKernels } from './generic.js';
import { torchKernels } from './torch.js';
import { wasmKernels } from './wasm.js';
import type { Kernels } from './types.js';

/** The kernels of the current backend. */
export const kernels = (): Kernels => byBackend[tf.getBackend()] ?? genericKernels;

const byBackend: Record<string, Kernels> = { torch: torchKernels, wasm: wasmKernels };
