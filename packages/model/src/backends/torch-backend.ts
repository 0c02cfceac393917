import tf = require('@tensorflow/tfjs-core');
import { createLogger, FourfoldError, type ErrorCode } from '@fourfold/common/basics';
import { cudaDevices, probe, registerTorch, whyNoCuda } from '@fourfold/tfjs-torch';
import { cpus } from 'node:os';
import { addKernels } from '../kernels/kernels.js';
import { torchKernels } from '../kernels/torch.js';
import { namingSetup } from './torch-probe.js';
import type { BackendChoice, BackendInfo } from './types.js';

/** A GPU if one exists. Warns if an addon built for a GPU finds none. */
function bestDevice(): 'cuda' | 'cpu' {
  if (cudaDevices().length > 0) return 'cuda';
  const result = probe();
  if (result.found && result.build.cuda) {
    createLogger('torch').warn({ event: 'no-cuda', reason: whyNoCuda() }, 'no CUDA device: computing on the CPU');
  }
  return 'cpu';
}

/**
 * Start the torch backend in this thread. Throws `invalid` if it is not set up for the device, `unavailable` if the device
 * is missing or fails.
 */
export async function startTorch({ device, precision, threads }: BackendChoice): Promise<BackendInfo> {
  try {
    const chosen = device === 'auto' ? bestDevice() : device;
    const info = registerTorch({
      device: chosen,
      precision: precision === 'bf16' ? 'bf16' : 'f32',
      threads,
      tf32: precision !== 'f32',
      // This process is ours and does nothing else.
      keepFreedMemory: true,
    });
    if (!info.keepsFreedMemory) {
      const reason = 'malloc does not keep freed memory here: iterations on the CPU may take 1.6 times as long';
      createLogger('torch').warn({ event: 'memory-not-kept', reason }, reason);
    }
    addKernels('torch', torchKernels);
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
    const cause = error as Error;
    // The report of an error leaves out a cause whose message it has already said.
    cause.message = namingSetup(cause.message);
    throw new FourfoldError(failureCode(device), `backend ${cause.message}`, { cause });
  }
}

/** A set-up without CUDA can never use a GPU; one with CUDA lacks it only on this machine, or at this time. */
function failureCode(device: string): ErrorCode {
  const found = probe();
  return found.found && found.build.cuda && device !== 'cpu' ? 'unavailable' : 'invalid';
}
