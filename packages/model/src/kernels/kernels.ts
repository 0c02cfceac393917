import tf = require('@tensorflow/tfjs-core');
import { genericKernels } from './generic.js';
import { wasmKernels } from './wasm.js';
import type { Kernels } from './types.js';

const byBackend: Record<string, Kernels> = { wasm: wasmKernels };

/** The kernels of the current backend. */
export const kernels = (): Kernels => byBackend[tf.getBackend()] ?? genericKernels;

/** Add the kernels of a backend where it starts: no program loads those of others. */
export const addKernels = (backend: string, of: Kernels): void => void (byBackend[backend] = of);

/** Have the device start with the work so far, where the backend records work to submit it together. */
export const submitWork = (): void => kernels().submit?.();
