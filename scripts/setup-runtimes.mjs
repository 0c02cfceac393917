// Installs into the cache folder what others run exported models with: `npm run setup:runtimes`. The tests alone need it.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './child-processes.mjs';

/** UpscalerJS says which TensorFlow.js it goes with. */
const npmPackages = { 'onnxruntime-node': '1.30.0', upscaler: '1.0.0', '@tensorflow/tfjs': '4.11.0' };
const pythonPackages = ['numpy<3', 'onnxruntime>=1.20,<2'];

const python = process.env.PYTHON ?? 'python3';
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fourfold');

/** Put a folder in its place when `fill` is done; leave one that was made of the same. */
async function install(name, madeOf, fill) {
  const folder = join(cache, name);
  const stamp = join(folder, 'made-of.json');
  const text = JSON.stringify(madeOf);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === text) return say(`${folder} is there`);
  // An empty one is what a setup that was killed right after making it has left.
  if (existsSync(folder) && !existsSync(stamp) && readdirSync(folder).length > 0) {
    throw new Error(`${folder} has no made-of.json, so it is not this script's: move it away, and repeat the command`);
  }
  const startMs = Date.now();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // From now on the folder is known as ours; what it is made of is said last.
  writeFileSync(stamp, '"unfinished"');
  await fill(folder);
  writeFileSync(`${stamp}.new`, text);
  renameSync(`${stamp}.new`, stamp);
  say(`${folder} is ready after ${((Date.now() - startMs) / 1000).toFixed(0)} s`);
}

async function installNpmPackages(folder) {
  const manifest = { private: true, dependencies: npmPackages };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  // onnxruntime-node's own script would fetch CUDA's libraries.
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  await run('npm', ['install', ...flags], folder);
}

async function installPython(folder) {
  await run(python, ['-m', 'venv', folder]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile'];
  await run(join(folder, 'bin', 'python'), [...pip, ...pythonPackages]);
}

/** Run a program to its end; rejects with what it said where it fails. */
async function run(program, args, cwd) {
  const { code, output } = await runChild(program, args, { cwd });
  if (code === 0) return;
  throw new Error(`${program} ${args[0]} failed: ${output.trim().split('\n').slice(-5).join('\n')}`);
}

const say = (line) => console.error(`runtimes: ${line}`);

/** One that cannot be had does not keep the other away. */
const outcomes = await Promise.allSettled([
  install('runtimes', npmPackages, installNpmPackages),
  install('python', pythonPackages, installPython),
]);
for (const { status, reason } of outcomes) {
  if (status !== 'rejected') continue;
  say(reason.message);
  process.exitCode = 2;
}
