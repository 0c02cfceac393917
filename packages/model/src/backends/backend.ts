import tf = require('@tensorflow/tfjs-core');
import tfCpu = require('@tensorflow/tfjs-backend-cpu');
import type { BackendName } from '@fourfold/common';
import { FourfoldError } from '@fourfold/common/basics';
import { cpus } from 'node:os';
import { probeTensorflow, startTensorflow } from './tensorflow-backend.js';
import { probeTorch, startTorch } from './torch-backend.js';
import { startWasm, wasmInstructionSet, wasmVersion } from './wasm-backend.js';
import type { BackendInfo, BackendProbe, BackendChoice } from './types.js';

interface Backend {
  name: BackendName;
  probe: () => { found: boolean; detail: string };
  start: (choice: BackendChoice) => Promise<BackendInfo>;
}

const device = () => cpus()[0]?.model.trim() ?? process.arch;

/** Every backend, best first. */
const backends: Backend[] = [
  { name: 'torch', probe: probeTorch, start: startTorch },
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
    probe: () => ({ found: true, detail: `plain JavaScript for tests, version ${tfCpu.version_cpu}; slow` }),
    start: async () => {
      await tf.setBackend('cpu');
      return {
        backend: 'cpu',
        version: tfCpu.version_cpu,
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
  const backend = backends.find((candidate) => (name === 'auto' ? candidate.probe().found : candidate.name === name));
  if (!backend) throw new FourfoldError('invalid', `backend ${name} does not exist`);
  if (backend.name !== 'torch' && (precision !== 'f32' || device.startsWith('cuda'))) {
    const asked = precision === 'f32' ? `device ${device}` : `precision ${precision}`;
    throw new FourfoldError('invalid', `backend ${backend.name}: ${asked} needs the torch backend`, {
      hint: 'run npx fourfold setup torch, or leave it out',
    });
  }
  return backend.start(choice);
}
