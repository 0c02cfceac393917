import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, freemem, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Number of a tensor in the addon; 0 is none. */
export type Handle = number;

/** An operator's argument: a tensor's handle, a number, boolean, string or list; undefined for a default or none. */
export type Argument = number | boolean | string | undefined | (number | boolean)[];

export type NumericArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** The addon (addon/addon.cc). Every function throws an Error with libtorch's message; its code is TORCH or OUT_OF_MEMORY. */
export interface Native {
  /** libtorch's version that the addon was compiled against. */
  version: string;
  find(name: string, overload: string): number;
  call(operator: number, ...args: Argument[]): unknown;
  mark(): number;
  release(mark: number, kept: Handle[]): void;
  free(handle: Handle): void;
  write(array: NumericArray, shape: number[], device: string): Handle;
  overwrite(handle: Handle, array: NumericArray): void;
  read(handle: Handle, array: NumericArray): void;
  shape(handle: Handle): number[];
  scalarType(handle: Handle): number;
  tensorCount(): number;
  setThreads(threads: number): number;
  setDeterministic(on: boolean): void;
  setTf32(on: boolean): void;
  keepFreedMemory(): boolean;
  cpuCapability(): string;
  cudaDevices(): string[];
  whyNoCuda(): string;
  useDevice(device: number): void;
  synchronize(): void;
  deviceMemory(): [allocated: number, reserved: number, free: number, total: number];
  beginGraph(): void;
  endGraph(): number;
  replayGraph(graph: number): void;
  freeGraph(graph: number): void;
  copiesAwaitComputation(): void;
  onCopyStream(on: boolean): void;
  pin(array: NumericArray): boolean;
  unpin(): void;
}

/** Written by `tfjs-torch setup` about the addon that it compiled. */
export interface BuildRecord {
  /** libtorch's version. */
  version: string;
  /** The folder of libtorch, with lib and include. */
  libtorch: string;
  cuda: boolean;
  /** Platform and architecture of Node.js. */
  platform: string;
}

/** Whether the backend can be loaded here. */
export type Probe = { found: true; build: BuildRecord } | { found: false; reason: string };

const buildFolder = fileURLToPath(new URL('../build/', import.meta.url));
const setUp = 'run npx tfjs-torch setup';

/** Check, without loading anything, that the addon exists and still matches the libtorch that it was compiled for. */
export function probe(): Probe {
  const build = readJson<BuildRecord>(join(buildFolder, 'build.json'));
  if (!build) return { found: false, reason: `it is not set up: ${setUp}` };
  const platform = `${process.platform}-${process.arch}`;
  if (build.platform !== platform) {
    return {
      found: false,
      reason: `the addon was built for ${build.platform}, but this is ${platform}: ${setUp} again`,
    };
  }
  const version = libtorchVersion(build.libtorch);
  if (version === undefined) {
    return { found: false, reason: `libtorch ${build.version} is no longer in ${build.libtorch}: ${setUp} again` };
  }
  if (version !== build.version) {
    const reason = `the addon was built for libtorch ${build.version}, but ${build.libtorch} now has ${version}: ${setUp} again`;
    return { found: false, reason };
  }
  return { found: true, build };
}

/**
 * Whether OpenMP's waiting threads should fall asleep soon. By default they spin for many milliseconds: if other work has
 * taken a core from one of them, an iteration takes twenty times as long. On an idle machine falling asleep between two
 * kernels costs up to a third.
 */
export const isCrowded = (loadAverage: number, cores: number): boolean => loadAverage > 1.5 * cores;

/** Rewrite the CPU allocator's error: it buries the requested size in its message and does not say how much is free. */
export function withMemory<Result>(what: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const asked = /DefaultCPUAllocator.*tried to allocate (\d+) bytes/s.exec((error as Error).message)?.[1];
    if (asked === undefined) throw error;
    const message = `${what}: out of memory: ${asked} bytes were requested, ${freemem()} are free`;
    throw Object.assign(new Error(message, { cause: error }), { code: 'OUT_OF_MEMORY' });
  }
}

let loaded: Native | undefined;

/** Load the addon, once per thread. Throws a one-line Error if `probe` does not find it or loading fails. */
export function loadNative(): Native {
  if (loaded) return loaded;
  const result = probe();
  if (!result.found) throw new Error(`torch: ${result.reason}`);
  // libgomp reads this when it is loaded.
  if (isCrowded(loadavg()[0], cpus().length) && !process.env['OMP_WAIT_POLICY'])
    process.env['GOMP_SPINCOUNT'] ??= '1000';
  try {
    const addon = createRequire(import.meta.url)(join(buildFolder, 'torch.node')) as Native;
    loaded = { ...addon, write: (...args) => withMemory('upload', () => addon.write(...args)) };
  } catch (error) {
    const [line] = String((error as Error).message).split('\n');
    throw new Error(`torch: the addon cannot be loaded (${line}): ${setUp} again`, { cause: error });
  }
  return loaded;
}

/** Memory of a CUDA device in bytes. */
export interface CudaMemory {
  /** In tensors of this process. */
  allocated: number;
  /** Allocated by this process, for present and future tensors. */
  reserved: number;
  /** Free for any process, of the total. */
  free: number;
  total: number;
}

/** Memory of the CUDA device in use; all 0 if none is. Does not wait for the device. */
export function cudaMemory(): CudaMemory {
  const [allocated, reserved, free, total] = loadNative().deviceMemory();
  return { allocated, reserved, free, total };
}

/** The version of the libtorch in a folder, from its headers; undefined if it has none. */
function libtorchVersion(folder: string): string | undefined {
  for (const header of ['include/torch/headeronly/version.h', 'include/torch/csrc/api/include/torch/version.h']) {
    try {
      const text = readFileSync(join(folder, header), 'utf8');
      const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
        (part) => new RegExp(`TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1],
      );
      if (parts.every((part) => part !== undefined)) return parts.join('.');
    } catch {
      // Older releases have the other header.
    }
  }
  return undefined;
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
