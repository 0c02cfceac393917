// Installs Dawn and TensorFlow.js's WebGPU backend into the cache folder: `npx fourfold setup webgpu`.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder } from '@fourfold/common';
import { dawnFolder } from '@fourfold/model';
import { findBuild, forgetBuild, needs, recordBuild, run, SetupError } from '@fourfold/tfjs-torch/setup-steps';

/** TensorFlow.js's is the same release as fourfold's tfjs-core. */
const versions = { webgpu: '0.6.2', tensorflow: '4.22.0' };

/** Of Chromium: the Vulkan loader, and SwiftShader, which computes on the processor. */
const driverFiles = ['libvulkan.so.1', 'libvk_swiftshader.so', 'vk_swiftshader_icd.json'];
const chromiumFolder = 'usr/lib/chromium';

const { values: options } = parseArgs({
  options: { software: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});

async function main() {
  if (options.help) {
    console.log(`npx fourfold setup webgpu [--software]

Installs webgpu (Dawn, Chromium's WebGPU, as a prebuilt addon for Linux, macOS and Windows) and @tensorflow/tfjs-backend-webgpu from
npm into the cache folder; package.json does not change. On Linux it needs the GPU's Vulkan driver. With --software it brings
SwiftShader, a driver that computes on the processor, from Debian's Chromium: for tests, since it is slower than wasm.`);
    return;
  }
  const startMs = Date.now();
  const cache = join(cacheFolder(), 'webgpu');
  const madeOf = { ...versions, software: options.software };
  if (findBuild(cache, madeOf)) return say(`${cache} has Dawn ${versions.webgpu}`);
  mkdirSync(cache, { recursive: true });
  forgetBuild(cache);
  say(`installing Dawn ${versions.webgpu} into ${cache} ...`);
  const folder = await installPackages(cache);
  const software = options.software && (await installDriver(cache, dawnFolder(folder)));
  recordBuild(cache, { folder, version: versions.webgpu, ...(software && { software }) }, madeOf);
  say(`ready after ${((Date.now() - startMs) / 1000).toFixed(0)} s; npx fourfold doctor names the adapter`);
}

/** Install the npm packages, without the addons for other systems; returns their folder. */
async function installPackages(cache) {
  const dependencies = {
    webgpu: versions.webgpu,
    '@tensorflow/tfjs-backend-webgpu': versions.tensorflow,
    '@tensorflow/tfjs-core': versions.tensorflow,
  };
  writeFileSync(join(cache, 'package.json'), `${JSON.stringify({ private: true, dependencies }, null, 2)}\n`);
  const flags = ['--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', ['install', ...flags], { cwd: cache });
  const folder = join(cache, 'node_modules');
  const ours = dawnFolder(folder);
  if (!existsSync(ours))
    throw new SetupError(`Dawn ${versions.webgpu} has no addon for ${process.platform} ${process.arch}`);
  const all = join(folder, 'webgpu', 'dist');
  for (const name of readdirSync(all)) {
    if (join(all, name) !== ours) rmSync(join(all, name), { recursive: true });
  }
  return folder;
}

/** Put SwiftShader into the cache folder, and the loader beside the addon, which looks there first; returns the driver's description. */
async function installDriver(cache, addon) {
  if (process.platform !== 'linux') throw new SetupError('--software is for Linux');
  const target = join(cache, 'swiftshader');
  mkdirSync(target, { recursive: true });
  await withChromium((chromium) => {
    for (const name of driverFiles)
      copyFileSync(join(chromium, name), join(name === driverFiles[0] ? addon : target, name));
  });
  const description = join(target, driverFiles[2]);
  const icd = JSON.parse(readFileSync(description, 'utf8'));
  icd.ICD.library_path = join(target, driverFiles[1]);
  writeFileSync(description, JSON.stringify(icd));
  return description;
}

/** Do `work` with the folder of an installed Chromium, else of the one in Debian's package. */
async function withChromium(work) {
  const installed = `/${chromiumFolder}`;
  if (driverFiles.every((name) => existsSync(join(installed, name)))) return work(installed);
  await needs('apt-get', ['--version'], 'Debian’s package chromium-common', 'leave out --software');
  const folder = mkdtempSync(join(tmpdir(), 'fourfold-deb-'));
  try {
    say('extracting SwiftShader from Debian’s package chromium-common ...');
    await run('apt-get', ['--quiet', 'download', 'chromium-common'], { cwd: folder });
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    await run('dpkg-deb', ['--extract', join(folder, file), join(folder, 'files')]);
    work(join(folder, 'files', chromiumFolder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const say = (line) => console.error(`webgpu: ${line}`);

try {
  await main();
} catch (error) {
  console.error(error instanceof SetupError ? `webgpu: ${error.message}` : error);
  process.exitCode = 2;
}
