// Finds libtorch, or installs it from PyPI, and compiles the addon against it: `npx tfjs-torch setup`.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runChild } from './child-processes.mjs';
import { completeCuda, findLibtorch, installLibtorch, SetupError } from './libtorch.mjs';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const buildFolder = join(packageFolder, 'build');
const oldestVersion = '2.4.0';

async function main() {
  const options = readOptions();
  if (options.help) {
    console.log(`npx tfjs-torch setup [--libtorch FOLDER] [--version X.Y.Z] [--cuda]

Compiles the addon of the torch backend against the first of: --libtorch FOLDER (with lib/ and include/ in it), the
environment variable LIBTORCH, the PyTorch of python3 (or of the environment variable PYTHON), the wheel from PyPI, which
it installs into the cache folder. --version uses the wheel of that version. --cuda builds for CUDA even without an NVIDIA
driver, or says why it cannot.`);
    return;
  }
  const startMs = Date.now();
  if (options.version) checkVersion(options.version, '--version asks for');
  const wantsCuda = options.cuda ?? existsSync('/proc/driver/nvidia/version');
  const compiler = process.env.CXX ?? 'c++';
  await needs(compiler, ['--version'], 'a C++ compiler', 'apt-get install g++ (or name yours in CXX)');

  const folder = options.libtorch ?? (options.version ? undefined : process.env.LIBTORCH);
  const found = await findLibtorch({ folder, version: options.version });
  const some = found ?? (await installLibtorch({ version: options.version, wantsCuda, run, needs }));
  checkVersion(some.version, `${some.folder} is`);
  const { libtorch, cuda } = wantsCuda ? await withCuda(some, options.cuda) : { libtorch: some, cuda: false };
  console.error(
    `tfjs-torch: compiling for libtorch ${libtorch.version} in ${libtorch.folder}${cuda ? ', with CUDA' : ''} ...`,
  );
  const made = await compile(compiler, libtorch, cuda);
  await run(process.execPath, ['-e', `require(${JSON.stringify(made)})`]);
  // The old addon is replaced only now, so it stays if this build fails; a process that has it loaded keeps it.
  rmSync(join(buildFolder, 'build.json'), { force: true });
  renameSync(made, join(buildFolder, 'torch.node'));
  const record = {
    version: libtorch.version,
    libtorch: libtorch.folder,
    cuda,
    platform: `${process.platform}-${process.arch}`,
  };
  writeFileSync(join(buildFolder, 'build.json'), `${JSON.stringify(record, null, 2)}\n`);
  console.error(`tfjs-torch: ready after ${((Date.now() - startMs) / 1000).toFixed(0)} s`);
}

/** The libtorch, ready for CUDA; if that fails and --cuda was not given, for the CPU. */
async function withCuda(libtorch, isAsked) {
  try {
    return { libtorch: await completeCuda(libtorch, { run, needs }), cuda: true };
  } catch (error) {
    if (isAsked || !(error instanceof SetupError)) throw error;
    console.error(`tfjs-torch: building only for the CPU, although this machine has a GPU. ${error.message}`);
    return { libtorch, cuda: false };
  }
}

function readOptions() {
  const options = {
    libtorch: { type: 'string' },
    version: { type: 'string' },
    cuda: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  };
  try {
    const { values } = parseArgs({ options });
    if (values.version && !/^\d+\.\d+\.\d+$/.test(values.version)) {
      throw new Error(`--version ${values.version} does not look like 2.9.1`);
    }
    return values;
  } catch (error) {
    throw new SetupError(`${error.message.split('. ')[0]}; --help lists the options`, { cause: error });
  }
}

/** Compile the addon; returns its file, which is not installed yet. */
async function compile(compiler, libtorch, cuda) {
  const { folder, cxx11Abi } = libtorch;
  mkdirSync(buildFolder, { recursive: true });
  const nodeHeaders = createRequire(import.meta.url)('node-api-headers').include_dir;
  const flags = [
    ...['-std=c++20', '-O1', '-fPIC', '-w', `-D_GLIBCXX_USE_CXX11_ABI=${cxx11Abi}`, '-DNAPI_VERSION=8'],
    ...['include', 'include/torch/csrc/api/include'].flatMap((path) => ['-isystem', join(folder, path)]),
    ...['-isystem', nodeHeaders],
    ...(cuda ? ['-DTFJS_TORCH_CUDA', ...libtorch.cuda.includes.flatMap((path) => ['-isystem', path])] : []),
  ];
  const objects = await Promise.all(
    ['addon', 'cuda'].map(async (name) => {
      const object = join(buildFolder, `${name}.o`);
      await run(compiler, [...flags, '-c', join(packageFolder, 'addon', `${name}.cc`), '-o', object]);
      return object;
    }),
  );
  // torch_cuda brings CUDA's runtime.
  const libraries = ['torch_cpu', 'c10', ...(cuda ? ['torch_cuda', 'c10_cuda'] : [])];
  const lib = join(folder, 'lib');
  const made = join(buildFolder, 'torch.new.node');
  await run(compiler, [
    ...['-shared', ...objects, '-o', made, `-L${lib}`, '-Wl,--no-as-needed'],
    ...libraries.map((name) => `-l${name}`),
    ...(process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []),
    `-Wl,-rpath,${lib}`,
  ]);
  for (const object of objects) rmSync(object);
  return made;
}

/** Run a program to its end; its output is shown if it fails. */
async function run(program, args) {
  const { code, output } = await runChild(program, args);
  if (code === 0) return output;
  throw new SetupError(`${program} failed:\n${output.split('\n').slice(0, 30).join('\n')}`);
}

async function needs(program, args, what, hint) {
  try {
    await run(program, args);
  } catch (error) {
    throw new SetupError(`${what} is needed, but ${program} does not run: ${hint}`, { cause: error });
  }
}

/** Throws if libtorch is too old; `place` begins the message. */
function checkVersion(version, place) {
  if (compareVersions(version, oldestVersion) >= 0) return;
  throw new SetupError(`${place} libtorch ${version}, but ${oldestVersion} or later is needed`);
}

function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  return left.map((part, i) => part - right[i]).find((difference) => difference !== 0) ?? 0;
}

try {
  await main();
} catch (error) {
  // Errors of the system, such as a folder that cannot be written, have a code.
  console.error(error instanceof SetupError || error.code ? `tfjs-torch: ${error.message}` : error);
  process.exitCode = 2;
}
