import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { FourfoldError, type BackendName } from '@fourfold/common';
import { cpus } from 'node:os';
import { startWasm, wasmInstructionSet, wasmVersion } from './wasm-backend.js';

/** What computes; workers of one run agree on it to the last bit of their results. */
export interface BackendInfo {
  backend: BackendName;
  version: string;
  /** The model of the device. */
  device: string;
  instructionSet: string;
  threads: number;
  precision: 'f32';
}

/** Whether a backend can be used here, and if not, why. */
export interface BackendProbe {
  backend: BackendName;
  found: boolean;
  /** What was found, or why nothing was and what to do about it. */
  detail: string;
}

interface Backend {
  name: BackendName;
  probe: () => { found: boolean; detail: string };
  start: (threads: number) => Promise<BackendInfo>;
}

const device = () => cpus()[0]?.model.trim() ?? process.arch;

const absent = (name: 'torch' | 'tensorflow', detail: string): Backend => ({
  name,
  probe: () => ({ found: false, detail }),
  start: async () => {
    throw new FourfoldError('invalid', `backend ${name}: ${detail}`, {
      mend: 'choose wasm, or leave the choice to auto',
    });
  },
});

/** Every backend, best first. */
const backends: Backend[] = [
  absent('torch', 'the package for libtorch is not part of this version'),
  absent('tensorflow', 'this version does not drive tfjs-node'),
  {
    name: 'wasm',
    probe: () => ({ found: true, detail: `WebAssembly with ${wasmInstructionSet}, version ${wasmVersion}` }),
    start: async (threads) => ({
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
    probe: () => ({ found: true, detail: `plain JavaScript for tests, version ${tf.version_core}; slow` }),
    start: async () => {
      await tf.setBackend('cpu');
      return {
        backend: 'cpu',
        version: tf.version_core,
        device: device(),
        instructionSet: 'JavaScript',
        threads: 1,
        precision: 'f32',
      };
    },
  },
];

/** Every backend, best first: found, or why not. Starts nothing. */
export function probeBackends(): BackendProbe[] {
  return backends.map(({ name, probe }) => ({ backend: name, ...probe() }));
}

/**
 * Let a backend compute in this thread, with so many threads; `auto` takes the best that is found. A thread's choice is
 * for good: wasm does not change its number of threads. Throws `invalid` where the backend is not there.
 */
export async function selectBackend(name: BackendName | 'auto', threads: number): Promise<BackendInfo> {
  const backend = backends.find((candidate) => (name === 'auto' ? candidate.probe().found : candidate.name === name));
  if (!backend) throw new FourfoldError('invalid', `backend ${name} does not exist`);
  return backend.start(threads);
}
