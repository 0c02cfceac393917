// Compares the shipped generators with UpscalerJS's best 4x model, @upscalerjs/esrgan-thick: same pictures, backend and thread.
//   node bench/esrgan-thick.mjs [--backend torch|wasm] [--checkpoint DIR] [--lpips alex] [--figure FILE.png --figure-picture NAME ...
//     --crop x,y,width,height --force] PICTURES ...
// The npm package (115 MB) is fetched once, below out/, and TensorFlow.js's own loader loads its model.
import { Buffer } from 'node:buffer';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { describeSets } from '../packages/cli/dist/evaluation/describe-sets.js';
import { evaluateSets } from '../packages/cli/dist/evaluation/evaluate-sets.js';
import { createFigure, parseCrop } from '../packages/cli/dist/evaluation/figure.js';
import { openLpips } from '../packages/cli/dist/lpips/open-lpips.js';
import { modelNames } from '../packages/cli/dist/upscaling/models.js';
import { modelFolder } from '../packages/cli/dist/assets.js';
import { createUpscaler, startBackend } from '../packages/cli/dist/upscaling/generator.js';
import { checkOutputFile, openCheckpoint, readGenerator } from '../packages/store/dist/index.js';
import { upscaleBaseline } from '../packages/cli/dist/evaluation-table.js';
import { runChild } from '../scripts/child-processes.mjs';

const inRepository = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    backend: { type: 'string', default: 'auto' },
    // In place of the shipped generators.
    checkpoint: { type: 'string' },
    lpips: { type: 'string' },
    'lpips-weights': { type: 'string' },
    crop: { type: 'string' },
    figure: { type: 'string' },
    'figure-picture': { type: 'string', multiple: true, default: [] },
    force: { type: 'boolean', default: false },
  },
});

/** The npm packages' folder. TensorFlow.js's core is not installed there: ours, which has the backends, must be used. */
async function installed() {
  const folder = inRepository('out/esrgan-thick');
  const modules = join(folder, 'node_modules');
  if (existsSync(modules)) return modules;
  mkdirSync(folder, { recursive: true });
  const packages = ['@upscalerjs/esrgan-thick@1.0.0', '@tensorflow/tfjs-layers@4.22.0'];
  const options = ['--prefix', folder, '--legacy-peer-deps', '--no-audit', '--no-fund'];
  const stdio = ['ignore', 'inherit', 'inherit'];
  const { code } = await runChild('npm', ['install', ...options, ...packages], { stdio });
  if (code !== 0) throw new Error('npm install failed: see its output above');
  return modules;
}

/** The package's 4x model: LR in [0, 1] to SR in [0, 1]. */
async function loadThick(modules) {
  const layers = createRequire(join(modules, 'x.js'))('@tensorflow/tfjs-layers');
  class MultiplyBeta extends layers.layers.Layer {
    static className = 'MultiplyBeta';
    call = (inputs) => tf.mul([inputs].flat()[0], 0.2);
  }
  class PixelShuffle extends layers.layers.Layer {
    static className = 'PixelShuffle4x';
    computeOutputShape = ([batch, height, width]) => [batch, height, width, 3];
    call = (inputs) => tf.depthToSpace([inputs].flat()[0], 4);
  }
  for (const layer of [MultiplyBeta, PixelShuffle]) tf.serialization.registerClass(layer);
  const folder = join(modules, '@upscalerjs/esrgan-thick/models/x4');
  const json = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const paths = json.weightsManifest.flatMap((group) => group.paths).map((path) => join(folder, path));
  const weightData = new Uint8Array(Buffer.concat(paths.map((path) => readFileSync(path)))).buffer;
  const weightSpecs = json.weightsManifest.flatMap((group) => group.weights);
  const model = await layers.loadLayersModel({
    load: async () => ({ modelTopology: json.modelTopology, format: json.format, weightSpecs, weightData }),
  });
  const upscale = ({ data, width, height }) =>
    tf.tidy(() => {
      const lr = tf.div(tf.tensor4d(Float32Array.from(data), [1, height, width, 3]), 255);
      const levels = tf.round(tf.mul(tf.clipByValue(model.predict(lr), 0, 1), 255));
      return { data: Uint8Array.from(levels.dataSync()), width: 4 * width, height: 4 * height };
    });
  return { upscale, sizeBytes: paths.reduce((sum, path) => sum + statSync(path).size, 0) };
}

/** A subject of `evaluate` that adds up its time, after a warm-up on the first picture. */
function timed(name, sizeBytes, upscale) {
  const spent = { ms: 0, pixels: 0 };
  let isWarm = false;
  return {
    name,
    facts: { sizeBytes, secondsPerMegapixel: () => (spent.ms * 1000) / spent.pixels },
    upscale: async (lr) => {
      if (!isWarm) await upscale(lr);
      isWarm = true;
      const startMs = performance.now();
      const sr = await upscale(lr);
      spent.ms += performance.now() - startMs;
      spent.pixels += sr.width * sr.height;
      return sr;
    },
  };
}

const { backend } = await startBackend(values.backend);
const generators = values.checkpoint
  ? [{ name: 'fourfold', folder: values.checkpoint }]
  : modelNames.map((name) => ({ name, folder: modelFolder(name) }));
if (values.figure) {
  await checkOutputFile(values.figure, {
    inputs: [...positionals, ...generators.map(({ folder }) => folder)],
    force: values.force,
  });
}
const thick = await loadThick(await installed());
const subjects = [
  { name: 'bicubic', facts: {}, upscale: (lr) => upscaleBaseline('bicubic', lr) },
  timed('esrgan-thick', thick.sizeBytes, thick.upscale),
];
for (const { name, folder } of generators) {
  const checkpoint = await openCheckpoint(folder, console.error);
  const { upscale } = createUpscaler(await readGenerator(checkpoint), 'zeros');
  const { sizeBytes } = checkpoint.manifest.files['generator.safetensors'];
  subjects.push(timed(name, sizeBytes, (lr) => upscale(lr, 512)));
}
const lpips = values.lpips && (await openLpips(values.lpips, values['lpips-weights'], values.backend));
const { figure: file, 'figure-picture': pictures, force } = values;
const crop = values.crop && parseCrop(values.crop);
const figure = file && createFigure({ file, pictures, force, ...(crop && { crop }) });
const sets = await evaluateSets(
  positionals,
  subjects,
  { onProgress: () => undefined, figure, ...(lpips && { lpips }) },
  new AbortController().signal,
);
await figure?.write();
console.log(describeSets(sets, 'text', values.lpips));
for (const { name, facts } of subjects.slice(1)) {
  const megabytes = (facts.sizeBytes / 1e6).toFixed(1);
  console.log(
    `${name} on ${backend}: ${megabytes} MB, ${facts.secondsPerMegapixel().toFixed(2)} s per megapixel of SR`,
  );
}
