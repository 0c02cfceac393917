import * as tf from '@tensorflow/tfjs-core';
import { createLogger, FourfoldError, type ErrorCode } from '@fourfold/common';
import { cudaDevices, probe, registerTorch, torchBackend, whyNoCuda } from '@fourfold/tfjs-torch';
import { cpus } from 'node:os';
import type { BackendChoice, BackendInfo } from './backend.js';

/** Whether `npm run setup:torch` has been run, and for which libtorch. */
export function probeTorch(): { found: boolean; detail: string } {
  const result = probe();
  if (!result.found) return { found: false, detail: result.reason };
  const { version, cuda, libtorch } = result.build;
  return { found: true, detail: `libtorch ${version}${cuda ? ' with CUDA' : ''}, ${libtorch}` };
}

/** Whether what computes now can capture work as graphs: torch on a CUDA device. */
export const canCaptureGraphs = (): boolean => tf.getBackend() === 'torch' && torchBackend().device !== 'cpu';

/** Let a device copy to and from a vector at full speed until `unpinVectors`, where that helps. */
export function pinVector(vector: Float32Array): void {
  if (canCaptureGraphs()) torchBackend().pin(vector);
}

export function unpinVectors(): void {
  if (canCaptureGraphs()) torchBackend().unpin();
}

/** A GPU where there is one. An addon that was built for one does not go without in silence. */
function bestDevice(): 'cuda' | 'cpu' {
  if (cudaDevices().length > 0) return 'cuda';
  const result = probe();
  if (result.found && result.build.cuda) {
    createLogger('torch').warn({ event: 'no-cuda', reason: whyNoCuda() }, 'no CUDA device: computing on the CPU');
  }
  return 'cpu';
}

/**
 * Start the torch backend in this thread. Throws `invalid` where it is not set up for the device, `unavailable` where the
 * device is not there, or fails.
 */
export async function startTorch({ device, precision, threads }: BackendChoice): Promise<BackendInfo> {
  try {
    const chosen = device === 'auto' ? bestDevice() : device;
    const info = registerTorch({
      device: chosen,
      precision: precision === 'bf16' ? 'bf16' : 'f32',
      threads,
      tf32: precision !== 'f32',
      // What computes here is a process of ours that does nothing else.
      keepFreedMemory: true,
    });
    if (!info.keepsFreedMemory) {
      const reason = 'malloc does not keep freed memory here: iterations on the CPU may take 1.6 times as long';
      createLogger('torch').warn({ event: 'memory-not-kept', reason }, reason);
    }
    await tf.setBackend('torch');
    return {
      backend: 'torch',
      version: info.version,
      device: chosen === 'cpu' ? (cpus()[0]?.model.trim() ?? process.arch) : info.device,
      instructionSet: info.cpuCapability,
      threads: info.threads,
      precision,
    };
  } catch (error) {
    throw new FourfoldError(failureCode(device), `backend ${(error as Error).message}`, { cause: error });
  }
}

/** What is set up without CUDA never has a GPU. What is set up with it lacks one on this machine, or at this time. */
function failureCode(device: string): ErrorCode {
  const found = probe();
  return found.found && found.build.cuda && device !== 'cpu' ? 'unavailable' : 'invalid';
}
