// Extracts TensorFlow's C library from its wheel and compiles tfjs-node's addon against it.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { run } from '@fourfold/tfjs-torch/setup-steps';

/** The wheel's default version. */
const newestVersion = '2.21.0';

/** The library is the same in the wheels for every Python, so the installed Python's version does not matter. */
const wheelPython = '3.12';

/** Path of tfjs-node's addon on Node.js 20 and later. */
export const addonPath = join('lib', 'napi-v8', 'tfjs_binding.node');

/** pip's name of the wheel. `tensorflow-cpu` exists only for x86-64 Linux; elsewhere `tensorflow` has no CUDA. */
export function wheelOf(cuda, version = newestVersion) {
  const small = !cuda && process.platform === 'linux' && process.arch === 'x64';
  return `${small ? 'tensorflow-cpu' : 'tensorflow'}==${version}`;
}

/** Install TensorFlow's library and headers (and NVIDIA's libraries beside them) unless they exist; returns their folder. */
export async function installLibrary({ cache, wheel, cuda, python }) {
  const site = join(cache, `${wheel.replace('==', '-')}${cuda ? '-cuda' : ''}`);
  const folder = join(site, 'tensorflow');
  if (existsSync(folder)) return folder;
  const unfinished = `${site}.${process.pid}`;
  const pip = (...packages) =>
    run(python, [
      ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile', '--no-deps'],
      ...['--only-binary=:all:', '--python-version', wheelPython, '--target', unfinished, ...packages],
    ]);
  try {
    await pip(wheel);
    if (cuda) await pip(...cudaRequirements(unfinished));
    const python = join(unfinished, 'tensorflow');
    for (const name of readdirSync(python)) {
      if (!/^include$|^libtensorflow/.test(name)) rmSync(join(python, name), { recursive: true });
    }
    renameSync(unfinished, site);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** NVIDIA packages that the installed wheel names for CUDA; TensorFlow looks for them in the folder beside its own. */
function cudaRequirements(site) {
  const metadata = readdirSync(site).find((name) => /^tensorflow-.*\.dist-info$/.test(name));
  const lines = readFileSync(join(site, metadata, 'METADATA'), 'utf8').split('\n');
  return lines.flatMap((line) => /^Requires-Dist: (nvidia-[^;]*);.*and-cuda/.exec(line)?.[1].trim() ?? []);
}

/**
 * Compile the npm package's binding/*.cc against the library. Uses c++ directly: node-gyp would download Node.js's headers,
 * and its recipe needs a libtensorflow.so in the package's folder.
 */
export async function compileAddon({ folder, library, compiler }) {
  const addon = join(folder, addonPath);
  mkdirSync(join(addon, '..'), { recursive: true });
  const nodeHeaders = createRequire(import.meta.url)('node-api-headers').include_dir;
  const mac = process.platform === 'darwin';
  const shared = (name) => join(library, mac ? `${name}.2.dylib` : `${name}.so.2`);
  // A process that has the old addon loaded keeps it.
  const made = `${addon}.${process.pid}`;
  try {
    await run(compiler, [
      ...['-std=c++17', '-O2', '-fPIC', '-w', '-DNAPI_VERSION=8'],
      ...['-isystem', join(library, 'include'), '-isystem', nodeHeaders],
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(folder, 'binding', name)),
      ...['-shared', '-o', made, shared('libtensorflow_cc'), shared('libtensorflow_framework')],
      ...[`-Wl,-rpath,${library}`, ...(mac ? ['-undefined', 'dynamic_lookup'] : [])],
    ]);
    renameSync(made, addon);
  } finally {
    rmSync(made, { force: true });
  }
}
