// Compiles the addon against a libtorch.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './steps.mjs';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const sourceFolder = join(packageFolder, 'addon');
export const buildFolder = join(packageFolder, 'build');
const units = ['addon', 'cuda'];
const nodeHeaders = createRequire(import.meta.url).resolve('node-api-headers/package.json');

/** How the addon is compiled and linked. */
export function recipeFor({ folder, cxx11Abi, cuda: found }, cuda) {
  const lib = join(folder, 'lib');
  // torch_cuda brings CUDA's runtime.
  const libraries = ['torch_cpu', 'c10', ...(cuda ? ['torch_cuda', 'c10_cuda'] : [])];
  return {
    compilation: [
      ...['-std=c++20', '-O1', '-fPIC', '-w', `-D_GLIBCXX_USE_CXX11_ABI=${cxx11Abi}`, '-DNAPI_VERSION=8'],
      ...['include', 'include/torch/csrc/api/include'].flatMap((path) => ['-isystem', join(folder, path)]),
      ...(cuda ? ['-DTFJS_TORCH_CUDA', ...found.includes.flatMap((path) => ['-isystem', path])] : []),
    ],
    linking: [
      ...[`-L${lib}`, '-Wl,--no-as-needed', ...libraries.map((name) => `-l${name}`)],
      ...(process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []),
      `-Wl,-rpath,${lib}`,
    ],
  };
}

/** All that decides what the addon becomes: equal parts make an equal addon, also in another folder. */
export const partsOf = ({ folder, version }, recipe, compiler) => ({
  compiler,
  recipe,
  libtorch: { version, files: ['libtorch_cpu', 'libc10', 'libtorch_cuda'].map((name) => fileState(folder, name)) },
  nodeHeaders: JSON.parse(readFileSync(nodeHeaders, 'utf8')).version,
  sources: hashOf(readdirSync(sourceFolder).sort()),
});

function hashOf(names) {
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name}\n`).update(readFileSync(join(sourceFolder, name)));
  return hash.digest('hex');
}

/** A library's size and time: another build of a version has others. Null if there is none. */
function fileState(folder, name) {
  const path = join(folder, 'lib', `${name}.${process.platform === 'darwin' ? 'dylib' : 'so'}`);
  const state = statSync(path, { throwIfNoEntry: false });
  return state ? [state.size, state.mtimeMs] : null;
}

/** Compile the addon; returns its file, which is not installed yet. */
export async function compileAddon(compiler, { compilation, linking }) {
  mkdirSync(buildFolder, { recursive: true });
  const headers = ['-isystem', join(dirname(nodeHeaders), 'include')];
  const objects = await Promise.all(
    units.map(async (name) => {
      const object = join(buildFolder, `${name}.o`);
      await run(compiler, [...compilation, ...headers, '-c', join(sourceFolder, `${name}.cc`), '-o', object]);
      return object;
    }),
  );
  const made = join(buildFolder, 'torch.new.node');
  await run(compiler, ['-shared', ...objects, '-o', made, ...linking]);
  for (const object of objects) rmSync(object);
  return made;
}
