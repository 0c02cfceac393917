// Finds libtorch, or installs it from PyPI, and compiles the addon against it: `npx tfjs-torch setup`.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildFolder, compileAddon, partsOf, recipeFor } from './addon.mjs';
import { completeCuda, findLibtorch, installLibtorch } from './libtorch.mjs';
import { findBuild, forgetBuild, needs, recordBuild, run, SetupError } from './steps.mjs';

const addon = join(buildFolder, 'torch.node');
const oldestVersion = '2.4.0';

async function main() {
  const options = readOptions();
  if (options.help) {
    console.log(`npx tfjs-torch setup [--libtorch FOLDER] [--version X.Y.Z] [--cuda]

Compiles the addon of the torch backend against the first of: --libtorch FOLDER (with lib/ and include/ in it), the
environment variable LIBTORCH, the PyTorch of python3 (or of the environment variable PYTHON), the wheel from PyPI, which
it installs into the cache folder. --version uses the wheel of that version. --cuda builds for CUDA even without an NVIDIA
driver, or says why it cannot. Nothing is compiled if the existing addon was made of the same sources, libtorch, compiler
and flags.`);
    return;
  }
  const startMs = Date.now();
  if (options.version) checkVersion(options.version, '--version asks for');
  const wantsCuda = options.cuda ?? existsSync('/proc/driver/nvidia/version');
  const compiler = process.env.CXX ?? 'c++';
  const described = await needs(
    compiler,
    ['--version'],
    'a C++ compiler',
    'apt-get install g++ (or name yours in CXX)',
  );

  const folder = options.libtorch ?? (options.version ? undefined : process.env.LIBTORCH);
  const found = await findLibtorch({ folder, version: options.version });
  const some = found ?? (await installLibtorch({ version: options.version, wantsCuda }));
  checkVersion(some.version, `${some.folder} is`);
  const { libtorch, cuda } = wantsCuda ? await withCuda(some, options.cuda) : { libtorch: some, cuda: false };
  const recipe = recipeFor(libtorch, cuda);
  const madeOf = partsOf(libtorch, recipe, [compiler, described.split('\n')[0]]);
  const what = `for libtorch ${libtorch.version} in ${libtorch.folder}${cuda ? ', with CUDA' : ''}`;
  if (findBuild(buildFolder, madeOf) && (await loads(addon))) return say(`${addon} exists, ${what}`);
  say(`compiling ${what} ...`);
  const made = await compileAddon(compiler, recipe);
  await load(made);
  // The old addon is replaced only now, so it stays if this build fails; a process that has it loaded keeps it.
  forgetBuild(buildFolder);
  renameSync(made, addon);
  recordBuild(buildFolder, { version: libtorch.version, libtorch: libtorch.folder, cuda }, madeOf);
  say(`ready after ${((Date.now() - startMs) / 1000).toFixed(0)} s`);
}

/** Load an addon in a process of its own. */
const load = (file) => run(process.execPath, ['-e', `require(${JSON.stringify(file)})`]);
const loads = (file) =>
  load(file).then(
    () => true,
    () => false,
  );

/** The libtorch, ready for CUDA; if that fails and --cuda was not given, for the CPU. */
async function withCuda(libtorch, isAsked) {
  try {
    return { libtorch: await completeCuda(libtorch), cuda: true };
  } catch (error) {
    if (isAsked || !(error instanceof SetupError)) throw error;
    say(`building only for the CPU, although this machine has a GPU. ${error.message}`);
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

/** Throws if libtorch is too old; `place` begins the message. */
function checkVersion(version, place) {
  if (compareVersions(version, oldestVersion) >= 0) return;
  throw new SetupError(`${place} libtorch ${version}, but ${oldestVersion} or later is needed`);
}

function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  return left.map((part, i) => part - right[i]).find((difference) => difference !== 0) ?? 0;
}

const say = (line) => console.error(`tfjs-torch: ${line}`);

try {
  await main();
} catch (error) {
  // Errors of the system, such as a folder that cannot be written, have a code.
  console.error(error instanceof SetupError || error.code ? `tfjs-torch: ${error.message}` : error);
  process.exitCode = 2;
}
