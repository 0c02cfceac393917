/*
 * A TensorFlow.js backend over libtorch: the backend (backend.ts), the addon (native.ts), kernels/ in TypeScript over ATen's
 * operations (aten.ts), CUDA graphs (graphs.ts).
 */

import tf = require('@tensorflow/tfjs-core');
import { TorchBackend, type Precision } from './backend.js';
import { backendName } from './kernel.js';
import { defineFallbacks, defineKernels } from './kernels/index.js';
import { loadNative } from './native.js';

const { registerBackend, removeBackend, findBackendFactory } = tf;
export { cudaMemory, probe, type BuildRecord, type CudaMemory, type Probe } from './native.js';
export { captureGraphs, copiesAwaitComputation, type Capture, type Graph } from './graphs.js';
export { picturesTensor, readBeside, readInto } from './transfer.js';
export { torchBackend, type Precision, type TorchBackend } from './backend.js';
export { registeredKernels } from './kernel.js';
export interface TorchOptions {
  /** cpu, cuda, or cuda:N. */
  device?: string;
  precision?: Precision;
  /** Threads that a kernel uses on the CPU; libtorch's default if omitted. */
  threads?: number;
  /** Use only algorithms that give the same bits every time. */
  deterministic?: boolean;
  /** float32 convolutions and matrix products on CUDA may round to TF32. */
  tf32?: boolean;
  /**
   * Keep freed memory in this process: all that libtorch and malloc free, in any thread. On the CPU this is up to 1.6x faster, but
   * the process takes more memory. For processes that do little else.
   */
  keepFreedMemory?: boolean;
}

/** Properties of the registered backend. */
export interface TorchInfo {
  /** libtorch's version. */
  version: string;
  /** cpu, or the CUDA device's name. */
  device: string;
  /** Instruction set of the CPU kernels: DEFAULT, AVX2, AVX512, ... */
  cpuCapability: string;
  threads: number;
  /** Whether freed memory is kept; false also if it was requested but malloc refused. */
  keepsFreedMemory: boolean;
}

let kernelsDefined = false;

/**
 * Register the backend `torch` with TensorFlow.js in this thread; `tf.setBackend('torch')` then selects it. The last call's
 * options apply. Throws a one-line Error if the addon or the device is missing.
 */
export function registerTorch(options: TorchOptions = {}): TorchInfo {
  const { device = 'cpu', precision = 'f32', deterministic = true, tf32 = false, keepFreedMemory = false } = options;
  const native = loadNative();
  const name = device === 'cpu' ? 'cpu' : useCuda(device);
  const keepsFreedMemory = keepFreedMemory && native.keepFreedMemory();
  native.setDeterministic(deterministic);
  native.setTf32(tf32);
  const threads = native.setThreads(options.threads ?? 0);
  if (!kernelsDefined) {
    defineKernels();
    defineFallbacks();
    kernelsDefined = true;
  }
  if (findBackendFactory(backendName)) removeBackend(backendName);
  // Higher than every other backend in TensorFlow.js's order of choice.
  registerBackend(backendName, () => new TorchBackend(device === 'cuda' ? 'cuda:0' : device, precision), 4);
  return { version: native.version, device: name, cpuCapability: native.cpuCapability(), threads, keepsFreedMemory };
}

/** Names of the CUDA devices that the addon can use; empty if it was built without CUDA or none exists. */
export const cudaDevices = (): string[] => loadNative().cudaDevices();

/** Why `cudaDevices` is empty, as reported by CUDA. */
export const whyNoCuda = (): string => loadNative().whyNoCuda();

/** The number of libtorch tensors of any kind that this thread holds, which shows leaks. */
export const tensorCount = (): number => loadNative().tensorCount();

/** Use a CUDA device; returns its name. */
function useCuda(device: string): string {
  const native = loadNative();
  const match = /^cuda(?::(\d+))?$/.exec(device);
  if (!match) throw new Error(`torch: ${device} is not a device: choose cpu, cuda or cuda:N`);
  const devices = native.cudaDevices();
  const index = Number(match[1] ?? 0);
  if (devices.length === 0) {
    throw new Error(
      `torch: ${device} was requested, but no CUDA device was found: ${native.whyNoCuda()}; choose cpu, or run npx tfjs-torch setup on a machine with a GPU`,
    );
  }
  if (index >= devices.length) {
    throw new Error(`torch: ${device} was requested, but the last CUDA device is cuda:${devices.length - 1}`);
  }
  native.useDevice(index);
  return devices[index];
}
