import tf = require('@tensorflow/tfjs-core');
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createLogger, describeError, FourfoldError } from '@fourfold/common/basics';
import { addWebgpuKernels } from '../kernels/webgpu.js';
import type { WebgpuBackend } from '../kernels/webgpu/backend.js';
import { hasFailed, watchDevice } from '../kernels/webgpu/failure.js';
import { recordLongSubmissions } from '../kernels/webgpu/recording.js';
import { adapterName, findAdapter, installedWebgpu, type Adapter, type Device } from './webgpu-adapter.js';
import type { BackendChoice, BackendInfo } from './types.js';

/** The part of TensorFlow.js's WebGPU package that the backend uses. */
interface WebgpuPackage {
  WebGPUBackend: new (device: Device, info: Adapter['info']) => tf.KernelBackend;
}

const requireHere = createRequire(import.meta.url);

/** What a device may hold: by default WebGPU allows less than most adapters have. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
];

/** This thread's backend, which a failed device ends. */
let started: { choice: string; info: BackendInfo } | undefined;

/** Start WebGPU in this thread. Throws `invalid` without a set-up, `unavailable` without an adapter or a device. */
export async function startWebgpu({ device: choice }: BackendChoice): Promise<BackendInfo> {
  if (started?.choice === choice && !hasFailed()) {
    await tf.setBackend('webgpu');
    return started.info;
  }
  const { version } = installedWebgpu();
  const adapter = await findAdapter(choice);
  const name = adapterName(adapter);
  if (adapter.info.isFallbackAdapter && choice !== 'cpu') {
    const reason = `${name} is a software driver: wasm is faster`;
    createLogger('webgpu').warn({ event: 'software-driver', reason }, reason);
  }
  const device = await openDevice(adapter);
  watchDevice(device, name);
  const { WebGPUBackend } = loadPackage();
  if (tf.findBackend('webgpu')) tf.removeBackend('webgpu');
  addWebgpuKernels();
  tf.registerBackend('webgpu', () => withBrowserNames(() => new WebGPUBackend(device, adapter.info)));
  // A product of many terms would be summed by atomic additions, in any order; small tensors would be computed by JavaScript.
  tf.env().set('WEBGPU_MATMUL_PROGRAM_TYPE', packedProducts);
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', dispatchesASubmission);
  await tf.setBackend('webgpu');
  recordLongSubmissions(tf.backend() as unknown as WebgpuBackend);
  const info: BackendInfo = {
    backend: 'webgpu',
    version: `${tf.version_core}+dawn-${version}`,
    device: name,
    instructionSet: process.arch,
    threads: 1,
    precision: 'f32',
  };
  started = { choice, info };
  return info;
}

/** TensorFlow.js's number for its tiled matrix product. */
const packedProducts = 3;

/**
 * More than a half of an iteration has, which is then one submission. A limit all the same: what a system's watchdog sees of a GPU is how
 * long a submission takes.
 */
const dispatchesASubmission = 1024;

async function openDevice(adapter: Adapter): Promise<Device> {
  try {
    const requiredLimits = Object.fromEntries(wantedLimits.map((name) => [name, adapter.limits[name]]));
    return await adapter.requestDevice({ requiredLimits });
  } catch (cause) {
    throw new FourfoldError(
      'unavailable',
      `backend webgpu: ${adapterName(adapter)} gives no device: ${describeError(cause)}`,
      {
        hint: 'update the GPU’s driver, or take another backend',
        cause,
      },
    );
  }
}

/** TensorFlow.js's package, with this program's tfjs-core. */
function loadPackage(): WebgpuPackage {
  const { folder } = installedWebgpu();
  const requireThere = createRequire(join(folder, '@tensorflow', 'tfjs-backend-webgpu', 'package.json'));
  const core = requireHere.resolve('@tensorflow/tfjs-core');
  requireHere(core);
  requireHere.cache[requireThere.resolve('@tensorflow/tfjs-core')] = requireHere.cache[core];
  return requireThere('@tensorflow/tfjs-backend-webgpu') as WebgpuPackage;
}

/** Do what TensorFlow.js only does where it finds the names of a browser's worker. */
function withBrowserNames<T>(work: () => T): T {
  const names = { WorkerGlobalScope: Object, navigator: { ...globalThis.navigator, gpu: {} } };
  const before = Object.keys(names).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  try {
    return work();
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else Reflect.deleteProperty(globalThis, name);
    }
  }
}
