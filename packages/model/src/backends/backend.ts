import type { BackendName } from '@fourfold/common';
import { FourfoldError } from '@fourfold/common/basics';
import { cpus } from 'node:os';
import { probeTensorflow, startTensorflow } from './tensorflow-backend.js';
import { cpuVersion, startCpu } from './cpu-backend.js';
import { probeTorch } from './torch-probe.js';
import { probeWebgpu } from './webgpu-probe.js';
import { startWasm, wasmInstructionSet, wasmVersion } from './wasm-backend.js';
import type { BackendInfo, BackendProbe, BackendChoice } from './types.js';

interface Backend {
  name: BackendName;
  probe: () => Omit<BackendProbe, 'backend'>;
  start: (choice: BackendChoice) => Promise<BackendInfo>;
}

const device = () => cpus()[0]?.model.trim() ?? process.arch;

/** Every backend, best first. A program loads none but the one that it starts, and wasm. */
const backends: Backend[] = [
  {
    name: 'torch',
    probe: probeTorch,
    start: async (choice) => (await import('./torch-backend.js')).startTorch(choice),
  },
  {
    name: 'tensorflow',
    probe: probeTensorflow,
    start: async ({ device: asked, threads }) => {
      // Without this tfjs-node-gpu takes the GPU regardless.
      if (asked === 'cpu') process.env['CUDA_VISIBLE_DEVICES'] = '';
      const { version, device } = await startTensorflow(threads);
      return { backend: 'tensorflow', version, device, instructionSet: process.arch, threads, precision: 'f32' };
    },
  },
  {
    name: 'webgpu',
    probe: probeWebgpu,
    start: async (choice) => (await import('./webgpu-backend.js')).startWebgpu(choice),
  },
  {
    name: 'wasm',
    probe: () => ({ found: true, detail: `WebAssembly with ${wasmInstructionSet}, version ${wasmVersion}` }),
    start: async ({ threads }) => ({
      backend: 'wasm',
      version: wasmVersion,
      device: device(),
      instructionSet: wasmInstructionSet,
      threads: await startWasm(threads),
      precision: 'f32',
    }),
  },
  {
    name: 'cpu',
    probe: () => ({ found: true, detail: `plain JavaScript for tests, version ${cpuVersion()}; slow` }),
    start: async () => {
      await startCpu();
      return {
        backend: 'cpu',
        version: cpuVersion(),
        device: device(),
        instructionSet: 'JavaScript',
        threads: 1,
        precision: 'f32',
      };
    },
  },
];

/** Every backend, best first: whether it was found, or why not. Starts nothing. */
export function probeBackends(): BackendProbe[] {
  return backends.map(({ name, probe }) => ({ backend: name, ...probe() }));
}

/**
 * Start a backend in this thread; `auto` takes the best that is found. The choice is final for the thread: wasm cannot
 * change its number of threads. Throws `invalid` if the backend is missing or does not support the choice.
 */
export async function selectBackend(choice: BackendChoice): Promise<BackendInfo> {
  const { backend: name, precision, device } = choice;
  const backend = name === 'auto' ? bestBackend() : backends.find((candidate) => candidate.name === name);
  if (!backend) throw new FourfoldError('invalid', `backend ${name} does not exist`);
  const only = backendOf(choice);
  if (only && backend.name !== only) {
    const asked = precision === 'f32' ? `device ${device}` : `precision ${precision}`;
    throw new FourfoldError('invalid', `backend ${backend.name}: ${asked} needs the ${only} backend`, {
      hint: `run npx fourfold setup ${only}, or leave it out`,
    });
  }
  return backend.start(choice);
}

/** The only backend that has a precision or a device. */
function backendOf({ precision, device }: BackendChoice): BackendName | undefined {
  if (precision !== 'f32' || device.startsWith('cuda')) return 'torch';
  return device.startsWith('gpu') ? 'webgpu' : undefined;
}

function bestBackend(): Backend | undefined {
  return backends.find(({ probe }) => {
    const { found, onlyByName } = probe();
    return found && !onlyByName;
  });
}
