// Installs tfjs-node into the cache folder, with its prebuilt addon or one compiled here: `npx fourfold setup tensorflow`.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder } from '@fourfold/common';
import { findBuild, forgetBuild, needs, recordBuild, run, SetupError } from '@fourfold/tfjs-torch/setup-steps';
import { addonPath, compileAddon, installLibrary, wheelOf } from './tensorflow-addon.mjs';

/** The same release as fourfold's tfjs-core. */
const packageVersion = '4.22.0';

/** Without the log level `npm run --silent` hides why npm failed. */
const npmFlags = ['--no-audit', '--no-fund', '--loglevel=error'];

/** The prebuilt library comes from its own server, which may be slow. */
const downloadTimeoutMs = 180_000;

const { values: options } = parseArgs({
  options: {
    cuda: { type: 'boolean' },
    compile: { type: 'boolean' },
    version: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

async function main() {
  if (options.help) {
    console.log(`npx fourfold setup tensorflow [--cuda] [--compile] [--version X.Y.Z]

Installs @tensorflow/tfjs-node, or with --cuda or an NVIDIA driver @tensorflow/tfjs-node-gpu, into the cache folder;
package.json does not change. The prebuilt addon and TensorFlow library are used if they can be downloaded. Otherwise, with
--compile, and for CUDA (the prebuilt one needs 11.2), the addon is compiled from its sources against the library in
TensorFlow's wheel from PyPI, in the version that --version names.`);
    return;
  }
  const startMs = Date.now();
  const cuda = options.cuda ?? existsSync('/proc/driver/nvidia/version');
  const name = `@tensorflow/tfjs-node${cuda ? '-gpu' : ''}`;
  const cache = join(cacheFolder(), 'tensorflow');
  const madeOf = { package: `${name}@${packageVersion}`, compile: options.compile, version: options.version };
  const ready = await readyVersion(cache, madeOf);
  if (ready) return say(`${join(cache, 'node_modules', name)} exists, with TensorFlow ${ready}`);
  mkdirSync(cache, { recursive: true });
  forgetBuild(cache);

  say(`installing ${name} ${packageVersion} into ${cache} ...`);
  const folder = await installPackage(cache, name);
  const version =
    cuda || options.compile || options.version
      ? await compile(cache, folder, cuda)
      : ((await takeAuthorsAddon(cache, name, folder)) ?? (await compile(cache, folder, cuda)));
  recordBuild(cache, { package: folder, version, cuda }, madeOf);
  say(`ready after ${((Date.now() - startMs) / 1000).toFixed(0)} s, with TensorFlow ${version}`);
}

/** TensorFlow's version if an earlier run had the same options and its addon loads. */
async function readyVersion(cache, madeOf) {
  const build = findBuild(cache, madeOf);
  return build && tryAddon(build.package).catch(() => undefined);
}

/** Install the npm package without its install script; returns its folder. */
async function installPackage(cache, name) {
  const manifest = {
    private: true,
    dependencies: { [name]: packageVersion, '@tensorflow/tfjs-core': packageVersion },
    // It depends on the union package; the backend loads it with tfjs-core alone (packages/model/src/backends/tensorflow-backend.ts).
    overrides: { '@tensorflow/tfjs': `npm:@tensorflow/tfjs-core@${packageVersion}` },
  };
  writeFileSync(join(cache, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await run('npm', ['install', '--ignore-scripts', '--no-package-lock', ...npmFlags], { cwd: cache });
  return join(cache, 'node_modules', name);
}

/** Let the package's install script fetch the prebuilt addon and library. Returns TensorFlow's version, undefined if that fails. */
async function takeAuthorsAddon(cache, name, folder) {
  say('trying its prebuilt addon (TensorFlow 2.9; --compile skips it) ...');
  try {
    await run('npm', ['rebuild', name, ...npmFlags], { cwd: cache, timeout: downloadTimeoutMs });
    return await tryAddon(folder);
  } catch (error) {
    const reason = error.message.split('\n').find((line) => /Error:/.test(line)) ?? error.message.split('\n')[0];
    say(`its prebuilt addon cannot be used (${reason.replace(/^npm error\s*/, '')})`);
    return undefined;
  }
}

/** Compile the addon against TensorFlow's wheel; returns TensorFlow's version. */
async function compile(cache, folder, cuda) {
  if (!['linux', 'darwin'].includes(process.platform)) {
    throw new SetupError(`the addon can be compiled only on Linux and macOS, but this is ${process.platform}`);
  }
  const python = process.env.PYTHON ?? 'python3';
  const compiler = process.env.CXX ?? 'c++';
  await needs(compiler, ['--version'], 'a C++ compiler', 'apt-get install g++ (or name yours in CXX)');
  await needs(python, ['-m', 'pip', '--version'], 'pip, which gets TensorFlow from PyPI,', 'install Python 3 with pip');
  const wheel = wheelOf(cuda, options.version);
  say(`installing the library of ${wheel} from PyPI ...`);
  const library = await installLibrary({ cache, wheel, cuda, python });
  say('compiling the addon ...');
  await compileAddon({ folder, library, compiler });
  return tryAddon(folder);
}

/** Load the addon in its own process; returns TensorFlow's version. */
async function tryAddon(folder) {
  const script = `console.log('TensorFlow=' + require(${JSON.stringify(join(folder, addonPath))}).TF_Version)`;
  const output = await run(process.execPath, ['-e', script]);
  return /TensorFlow=(.*)/.exec(output)[1];
}

const say = (line) => console.error(`tensorflow: ${line}`);

try {
  await main();
} catch (error) {
  console.error(error instanceof SetupError ? `tensorflow: ${error.message}` : error);
  process.exitCode = 2;
}
