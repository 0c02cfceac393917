import { registerBackend, removeBackend, findBackendFactory } from '@tensorflow/tfjs-core';
import { TorchBackend, type Precision } from './backend.js';
import { backendName } from './kernel.js';
import { defineFallbacks, defineKernels } from './kernels/index.js';
import { loadNative } from './native.js';

export { probe, type BuildRecord, type Probe } from './native.js';
export { captureGraphs, copiesAwaitComputation, type Capture, type Graph } from './graphs.js';
export { picturesTensor, readBeside, readInto } from './transfer.js';
export { torchBackend, type Precision, type TorchBackend } from './backend.js';
export { registeredKernels } from './kernel.js';

export interface TorchOptions {
  /** cpu, cuda, or cuda:N. */
  device?: string;
  precision?: Precision;
  /** Threads that a kernel uses on the CPU; as many as libtorch likes where left out. */
  threads?: number;
  /** Only algorithms that give the same bits every time. */
  deterministic?: boolean;
  /** float32 convolutions and matrix products on CUDA may round to TF32. */
  tf32?: boolean;
  /**
   * Memory that is freed stays this process's, of whatever libtorch and malloc hold in any thread: on the CPU that is up to 1.6x
   * faster, and the process takes more. For processes that do little else.
   */
  keepFreedMemory?: boolean;
}

/** What computes. */
export interface TorchInfo {
  /** libtorch's version. */
  version: string;
  /** cpu, or the CUDA device's name. */
  device: string;
  /** What kernels on the CPU use of the processor: DEFAULT, AVX2, AVX512, ... */
  cpuCapability: string;
  threads: number;
  /** Whether freed memory is kept; false where it was asked for, and malloc has not taken it. */
  keepsFreedMemory: boolean;
}

let kernelsDefined = false;

/**
 * Register the backend `torch` with TensorFlow.js, in this thread; `tf.setBackend('torch')` then takes it. The last call's
 * options count. Throws an Error of one line where the addon is not there, or the device is not.
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
  // The best there is, in TensorFlow.js's own order of choice.
  registerBackend(backendName, () => new TorchBackend(device === 'cuda' ? 'cuda:0' : device, precision), 4);
  return { version: native.version, device: name, cpuCapability: native.cpuCapability(), threads, keepsFreedMemory };
}

/** Names of the CUDA devices that the addon can use; empty where it was built without CUDA or there is none. */
export const cudaDevices = (): string[] => loadNative().cudaDevices();

/** Why `cudaDevices` names none, in the words of CUDA. */
export const whyNoCuda = (): string => loadNative().whyNoCuda();

/** Bytes on a CUDA device. */
export interface CudaMemory {
  /** In tensors of this process. */
  allocated: number;
  /** Taken from the device by this process's tensors, and kept for others. */
  reserved: number;
  /** Free for anybody, and all there are. */
  free: number;
  total: number;
}

/** Memory of the CUDA device in use; all 0 where there is none. Waits for nothing on the device. */
export function cudaMemory(): CudaMemory {
  const [allocated, reserved, free, total] = loadNative().deviceMemory();
  return { allocated, reserved, free, total };
}

/** How many tensors of libtorch's this thread holds, of whatever use: what tells a leak. */
export const tensorCount = (): number => loadNative().tensorCount();

/** Take a CUDA device; returns its name. */
function useCuda(device: string): string {
  const native = loadNative();
  const match = /^cuda(?::(\d+))?$/.exec(device);
  if (!match) throw new Error(`torch: ${device} is not a device: choose cpu, cuda or cuda:N`);
  const devices = native.cudaDevices();
  const index = Number(match[1] ?? 0);
  if (devices.length === 0) {
    throw new Error(
      `torch: ${device} was asked for, and there is none: ${native.whyNoCuda()}; choose cpu, or run npm run setup:torch where there is a GPU`,
    );
  }
  if (index >= devices.length) {
    throw new Error(
      `torch: ${device} was asked for, and there are ${devices.length} CUDA devices: the last is cuda:${devices.length - 1}`,
    );
  }
  native.useDevice(index);
  return devices[index];
}
