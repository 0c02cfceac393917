import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cacheFolder, describeError, FourfoldError } from '@fourfold/common/basics';

/*
 * Dawn, Chromium's WebGPU, as a Node.js addon: where `fourfold setup webgpu` put it, and the adapters that it finds.
 */

/** What `fourfold setup webgpu` records. */
interface Installed {
  /** The folder with the npm packages. */
  folder: string;
  /** Dawn's version on npm. */
  version: string;
  /** The description of a software driver, which computes on the processor. */
  software?: string;
  platform: string;
}

/** The part of the addon that the backend uses. */
interface Dawn {
  create(options: string[]): Gpu;
  globals: Record<string, unknown>;
}

interface Gpu {
  requestAdapter(options: object): Promise<Adapter | null>;
}

/** A GPU's driver, or a software driver. */
export interface Adapter {
  info: { vendor: string; device: string; description: string; isFallbackAdapter: boolean };
  features: ReadonlySet<string>;
  limits: Record<string, number>;
  requestDevice(descriptor: object): Promise<Device>;
}

/** A device on which a backend computes. */
export interface Device {
  lost: Promise<{ reason: string; message: string }>;
  addEventListener(type: 'uncapturederror', listener: (event: Event & { error: Error }) => void): void;
}

export const setUp = 'run npx fourfold setup webgpu';

/** Where the packages are. Throws `invalid` if they are not installed for this platform. */
export function installedWebgpu(): Installed {
  const folder = join(cacheFolder(), 'webgpu');
  const record = join(folder, 'build.json');
  if (!existsSync(record)) throw new FourfoldError('invalid', `backend webgpu: it is not set up: ${setUp}`);
  const found = JSON.parse(readFileSync(record, 'utf8')) as Installed;
  const platform = `${process.platform}-${process.arch}`;
  if (found.platform === platform && existsSync(found.folder)) return found;
  throw new FourfoldError('invalid', `backend webgpu: ${folder} is not set up for ${platform}: ${setUp}`);
}

/** The addons' instances, which must outlive their adapters. */
const instances: Gpu[] = [];

/**
 * A workgroup's memory does not begin as zeros, as it must in a browser: each of our kernels, and of TensorFlow.js's, writes there before it reads. On
 * SwiftShader the zeros took most of a kernel's compilation.
 */
const dawnFlags = ['enable-dawn-features=disable_workgroup_init'];

/**
 * The adapter for a value of `workers.device`: `gpu` is the fastest GPU, `gpu:NAME` the one whose name contains NAME, `cpu` a software driver;
 * `auto` is a GPU, else a software driver. Throws `invalid` without a set-up, `unavailable` without an adapter.
 */
export async function findAdapter(device: string): Promise<Adapter> {
  const dawn = loadDawn();
  const name = /^gpu:(.+)$/.exec(device)?.[1];
  try {
    const gpu = dawn.create([...dawnFlags, ...(name === undefined ? [] : [`adapter=${name}`])]);
    instances.push(gpu);
    const options = { powerPreference: 'high-performance', forceFallbackAdapter: device === 'cpu' };
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) throw new Error('Dawn finds no driver that has what WebGPU demands');
    if (device.startsWith('gpu') && adapter.info.isFallbackAdapter) throw new Error('there is only a software driver');
    return adapter;
  } catch (cause) {
    const [line] = describeError(cause).split('\n');
    const named = name === undefined ? '' : ` named ${name}`;
    throw new FourfoldError('unavailable', `backend webgpu: no adapter${named}: ${line}`, {
      hint: 'install the GPU’s Vulkan driver, or take another backend',
      cause,
    });
  }
}

/** An adapter's name, with the driver’s version, on which the bits may depend. */
export const adapterName = ({ info }: Adapter): string =>
  [info.device || info.vendor, info.description].filter((part) => part !== '').join(', ');

/** The folder of this platform's addon inside a folder of npm packages. */
export function dawnFolder(packages: string): string {
  const arch = process.platform === 'darwin' ? 'universal' : process.arch;
  return join(packages, 'webgpu', 'dist', `${process.platform}-${arch}`);
}

let loaded: Dawn | undefined;

/** Load the addon; its classes become globals, as TensorFlow.js expects them. */
function loadDawn(): Dawn {
  if (loaded) return loaded;
  const { folder, software } = installedWebgpu();
  // The Vulkan loader reads it when the first instance is made.
  if (software) process.env['VK_ADD_DRIVER_FILES'] ??= software;
  const addon = join(dawnFolder(folder), 'dawn.node');
  try {
    const dawn = createRequire(import.meta.url)(addon) as Dawn;
    Object.assign(globalThis, dawn.globals);
    return (loaded = dawn);
  } catch (cause) {
    throw new FourfoldError('invalid', `backend webgpu: ${addon} cannot be loaded: ${describeError(cause)}`, {
      hint: `${setUp} again`,
      cause,
    });
  }
}
