import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import util from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { cacheFolder, FourfoldError } from '@fourfold/common/basics';

/** The part of tfjs-node's addon that the backend uses. */
interface Binding {
  TF_Version: string;
  isUsingGpuDevice(): boolean;
}

/** tfjs-node's dist/nodejs_kernel_backend.js. */
interface KernelBackendModule {
  NodeJSKernelBackend: new (binding: Binding, packageName: string) => tf.KernelBackend;
}

/** Location of a tfjs-node, or why it cannot be used. */
type Place = { folder: string; name: string } | { problem: string };

const requireHere = createRequire(import.meta.url);
const addonPath = join('lib', 'napi-v8', 'tfjs_binding.node');
const setUp = 'run npx fourfold setup tensorflow';

/** The addon, once this thread has loaded it. */
let loaded: Binding | undefined;

/** Whether a tfjs-node is installed here, by the user or by `fourfold setup tensorflow`. Loads nothing. */
export function probeTensorflow(): { found: boolean; detail: string } {
  const place = findPackage();
  if ('problem' in place) return { found: false, detail: place.problem };
  return { found: true, detail: `${place.name} ${tf.version_core}, ${place.folder}` };
}

/**
 * Start TensorFlow in this thread, with `threads` threads per operation; a worker_threads thread must share its
 * environment (`env: SHARE_ENV`), where TensorFlow reads that number. It is final for the process. `version` is
 * tfjs-node's and TensorFlow's, `device` the model of the GPU or the processor. Throws `invalid` if tfjs-node is missing
 * or does not load.
 */
export async function startTensorflow(threads: number): Promise<{ version: string; device: string }> {
  const place = findPackage();
  if ('problem' in place) throw new FourfoldError('invalid', `backend tensorflow: ${place.problem}`);
  setEnvironment(threads);
  try {
    const binding = (loaded ??= load(place));
    await tf.setBackend('tensorflow');
    const version = `${tf.version_core}+tensorflow-${binding.TF_Version}`;
    return { version, device: binding.isUsingGpuDevice() ? gpuModel() : (cpus()[0]?.model.trim() ?? process.arch) };
  } catch (error) {
    const [line] = (error as Error).message.split('\n');
    throw new FourfoldError('invalid', `backend tensorflow: ${place.folder} cannot be loaded (${line})`, {
      hint: `${setUp} again`,
      cause: error,
    });
  }
}

/** The tfjs-node to use: the user's own, GPU first, else the one in the cache folder. */
function findPackage(): Place {
  const installed = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'].flatMap((name) => {
    const manifest = (requireHere.resolve.paths(name) ?? [])
      .map((path) => join(path, name, 'package.json'))
      .find(existsSync);
    return manifest ? [dirname(manifest)] : [];
  });
  const places = [...installed, ...setUpFolder()].map(examine);
  const usable = places.find((place) => 'folder' in place);
  return usable ?? places[0] ?? { problem: `tfjs-node is not installed: ${setUp}` };
}

/** Where `fourfold setup tensorflow` put the package: one folder or none. */
function setUpFolder(): string[] {
  const cache = join(cacheFolder(), 'tensorflow');
  const record = readJson<{ package: string; platform: string }>(join(cache, 'build.json'));
  return record?.platform === `${process.platform}-${process.arch}` ? [record.package] : [];
}

function examine(folder: string): Place {
  const manifest = readJson<{ name: string; version: string }>(join(folder, 'package.json'));
  if (!manifest) return { problem: `tfjs-node is no longer in ${folder}: ${setUp} again` };
  if (manifest.version !== tf.version_core) {
    return { problem: `${folder} is version ${manifest.version}, but ${tf.version_core} is needed: ${setUp}` };
  }
  if (!existsSync(join(folder, addonPath))) return { problem: `${folder} has no addon: ${setUp}` };
  return { folder, name: manifest.name };
}

/** Set the variables that TensorFlow reads once, when its addon is loaded; the user's own for GPUs and the log win. */
function setEnvironment(threads: number): void {
  const fixed = {
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: '1',
    TF_DETERMINISTIC_OPS: '1',
  };
  // Two lines of its log cannot be stopped: the library writes them while it is loaded, before its log reads any setting.
  // By default TensorFlow rounds factors to 10 bits in a GPU's float32, and the first process takes all of its memory.
  const usual = { NVIDIA_TF32_OVERRIDE: '0', TF_FORCE_GPU_ALLOW_GROWTH: 'true', TF_CPP_MIN_LOG_LEVEL: '2' };
  Object.assign(process.env, { ...usual, ...process.env, ...fixed });
  if (isMainThread) return;
  const report = process.report.getReport() as unknown as { environmentVariables: NodeJS.ProcessEnv };
  const shared = report.environmentVariables.TF_NUM_INTRAOP_THREADS === fixed.TF_NUM_INTRAOP_THREADS;
  assert(shared, 'the thread that starts TensorFlow must share its environment (SHARE_ENV)');
}

/**
 * Register tfjs-node's kernels and backend with our tfjs-core. Its index would load the union package, with another
 * tfjs-core or with every other backend and their warnings; its kernels need only tfjs-core, so both package names
 * resolve to ours.
 */
function load({ folder, name }: { folder: string; name: string }): Binding {
  const requireThere = createRequire(join(folder, 'package.json'));
  const core = requireHere.resolve('@tensorflow/tfjs-core');
  requireHere(core);
  for (const dependency of ['@tensorflow/tfjs', '@tensorflow/tfjs-core']) {
    requireHere.cache[requireThere.resolve(dependency)] = requireHere.cache[core];
  }
  addChainedOperations();
  addRemovedUtilities();
  const binding = requireThere(`./${addonPath}`) as Binding;
  const { NodeJSKernelBackend } = requireThere('./dist/nodejs_kernel_backend.js') as KernelBackendModule;
  requireThere('./dist/register_all_kernels.js');
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(binding, name));
  return binding;
}

/** Methods of the union package's tensors that tfjs-node's kernels call. */
function addChainedOperations(): void {
  Object.assign(tf.Tensor.prototype, {
    add(this: tf.Tensor, b: tf.TensorLike) {
      return tf.add(this, b);
    },
    sub(this: tf.Tensor, b: tf.TensorLike) {
      return tf.sub(this, b);
    },
    mul(this: tf.Tensor, b: tf.TensorLike) {
      return tf.mul(this, b);
    },
    toFloat(this: tf.Tensor) {
      return tf.cast(this, 'float32');
    },
    toInt(this: tf.Tensor) {
      return tf.cast(this, 'int32');
    },
  });
}

/** Functions of Node.js that tfjs-node calls and version 23 removed. */
function addRemovedUtilities(): void {
  Object.assign(util, { isArray: Array.isArray, isNullOrUndefined: (value: unknown) => value == null });
}

/** The models of this machine's GPUs, from NVIDIA's driver. */
function gpuModel(): string {
  const folder = '/proc/driver/nvidia/gpus';
  const gpus = existsSync(folder) ? readdirSync(folder) : [];
  const models = gpus.flatMap((gpu) => {
    const information = readFileSync(join(folder, gpu, 'information'), 'utf8');
    return /^Model:\s*(.*)$/m.exec(information)?.[1].trim() ?? [];
  });
  return [...new Set(models)].join(', ') || 'GPU';
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
