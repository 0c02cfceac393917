// Installs what reads our exported models and datasets into the cache folder: `npm run setup:runtimes`. Only the tests need it.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './child-processes.mjs';

/** UpscalerJS requires this version of TensorFlow.js. */
const npmPackages = { 'onnxruntime-node': '1.30.0', upscaler: '1.0.0', '@tensorflow/tfjs': '4.11.0' };
const pythonPackages = ['numpy<3', 'onnxruntime>=1.20,<2', 'webdataset>=1,<2'];

const python = process.env.PYTHON ?? 'python3';
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fourfold');

/** Create a folder and fill it, unless it was already made of the same packages. */
async function install(name, madeOf, fill) {
  const folder = join(cache, name);
  const stamp = join(folder, 'made-of.json');
  const text = JSON.stringify(madeOf);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === text) return say(`${folder} exists`);
  // A setup that was killed right after creating the folder leaves it empty.
  if (existsSync(folder) && !existsSync(stamp) && readdirSync(folder).length > 0) {
    throw new Error(
      `${folder} has no made-of.json, so this script did not create it: move it away and repeat the command`,
    );
  }
  const startMs = Date.now();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // Mark the folder as ours first; the packages are recorded last.
  writeFileSync(stamp, '"unfinished"');
  await fill(folder);
  writeFileSync(`${stamp}.new`, text);
  renameSync(`${stamp}.new`, stamp);
  say(`${folder} is ready after ${((Date.now() - startMs) / 1000).toFixed(0)} s`);
}

async function installNpmPackages(folder) {
  const manifest = { private: true, dependencies: npmPackages };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  // onnxruntime-node's install script would fetch CUDA's libraries.
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  await run('npm', ['install', ...flags], folder);
}

async function installPython(folder) {
  await run(python, ['-m', 'venv', folder]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile'];
  await run(join(folder, 'bin', 'python'), [...pip, ...pythonPackages]);
}

/** Run a program to its end; rejects with the end of its output if it fails. */
async function run(program, args, cwd) {
  const { code, output } = await runChild(program, args, { cwd });
  if (code === 0) return;
  throw new Error(`${program} ${args[0]} failed: ${output.trim().split('\n').slice(-5).join('\n')}`);
}

const say = (line) => console.error(`runtimes: ${line}`);

/** If one cannot be installed, the other still is. */
const outcomes = await Promise.allSettled([
  install('runtimes', npmPackages, installNpmPackages),
  install('python', pythonPackages, installPython),
]);
for (const { status, reason } of outcomes) {
  if (status !== 'rejected') continue;
  say(reason.message);
  process.exitCode = 2;
}
