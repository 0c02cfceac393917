// Counts what each half of an iteration asks of WebGPU in steady state, with parameters that change as in a run, and measures how long the
// thread records it and the CPU time of the process, which is a software driver's own; first with compilation. The sizes are small: the counts do not depend on them, but on blocks and losses.
// node bench/webgpu-counts.mjs [--steps 3] [--kernels] [--set key=value ...]
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { contentFeatures, loadRunConfig, randomStream } from '../packages/common/dist/index.js';
import { randomVgg } from '../packages/cli/dist/bench/step.js';
import {
  createContentFeatures,
  createDiscriminator,
  createGenerator,
  replaceParameters,
  selectBackend,
  uploadParameters,
} from '../packages/model/dist/index.js';
import { discriminatorLayout, generatorLayout, initialVector } from '../packages/weights/dist/index.js';
import { createHalves } from '../packages/worker/dist/compute/halves.js';
import { median } from './median.mjs';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '3' },
    kernels: { type: 'boolean', default: false },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const phases = ['mse', 'gan'];
const sizes = [
  `phases=${JSON.stringify(phases.map((kind) => ({ kind, iterations: 1000, learningRate: 1e-4 })))}`,
  ...['data.globalBatch=2', 'data.crop=48', 'generator.channels=16', 'generator.blocks=2'],
  ...['discriminator.channels=8', 'discriminator.dense=32', 'loss.content=mse'],
];
const config = await loadRunConfig(fileURLToPath(new URL('configs/demo.yaml', import.meta.url)), [
  ...sizes,
  ...values.set,
]);
const backend = await selectBackend({ backend: 'webgpu', device: 'auto', precision: 'f32', threads: 1 });

/** Calls of WebGPU by what they are, since the last look. */
const counts = {};
/** Dispatches by kernel, since the last look. */
const kernels = {};
const add = (table, name, amount = 1) => (table[name] = (table[name] ?? 0) + amount);
const { GPUQueue, GPUDevice, GPUCommandEncoder, GPUBuffer, GPUComputePassEncoder } = globalThis;
watch(GPUQueue, 'submit', () => add(counts, 'submissions'));
watch(GPUQueue, 'writeBuffer', () => add(counts, 'writes'));
watch(GPUDevice, 'createBuffer', () => add(counts, 'buffersMade'));
watch(GPUDevice, 'createBindGroup', () => add(counts, 'bindGroups'));
watch(GPUDevice, 'createComputePipeline', () => add(counts, 'compilations'));
watch(GPUCommandEncoder, 'beginComputePass', () => add(counts, 'passes'));
watch(GPUCommandEncoder, 'copyBufferToBuffer', () => add(counts, 'copies'));
watch(GPUBuffer, 'mapAsync', () => add(counts, 'readbacks'));
let pipeline = '';
watch(GPUComputePassEncoder, 'setPipeline', ({ label }) => (pipeline = label));
watch(GPUComputePassEncoder, 'dispatchWorkgroups', () => {
  add(counts, 'dispatches');
  add(kernels, pipeline);
});

/** Do `also` with the arguments of every call of a class's method. */
function watch({ prototype }, method, also) {
  const original = prototype[method];
  prototype[method] = function (...given) {
    also(...given);
    return original.apply(this, given);
  };
}

const layouts = {
  generator: generatorLayout(config.generator),
  discriminator: discriminatorLayout(config.discriminator, config.data.crop),
};
const layers = {
  generator: createGenerator(config.generator, 'training'),
  discriminator: createDiscriminator(config.discriminator),
};
const vectors = Object.fromEntries(Object.entries(layouts).map(([name, layout]) => [name, initialVector(layout, 1)]));
const networks = {};
function setParameters(name) {
  const before = networks[name]?.parameters;
  const parameters = before
    ? replaceParameters(layouts[name], before, vectors[name])
    : uploadParameters(layouts[name], vectors[name]);
  networks[name] = { layer: layers[name], parameters };
}
const features = contentFeatures(config.loss);
const halves = createHalves({
  config,
  gradientLayouts: layouts,
  factored: new Set(),
  network: (name) => networks[name],
  vgg: features && createContentFeatures(features, randomVgg(config), 'random weights'),
});
const { globalBatch: count, crop } = config.data;
const random = randomStream('pixels', 1);
const pixels = (side) => Uint8Array.from({ length: count * side * side * 3 }, () => random.below(256));
const batch = { count, crop, hr: pixels(crop), lr: pixels(crop / 4) };
const targets = {
  generator: new Float32Array(layouts.generator.length),
  discriminator: new Float32Array(layouts.discriminator.length),
};

/** A half after new parameters of one network: what it asked of WebGPU, and how long this thread recorded before it waited for the device. */
async function half(name, changed, place) {
  for (const table of [counts, kernels]) for (const key of Object.keys(table)) delete table[key];
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  setParameters(changed);
  if (name === 'generator') halves.content(place);
  const result = halves[name](place, batch, targets[name]);
  const recordMs = performance.now() - startMs;
  await result;
  const { user, system } = process.cpuUsage(cpu);
  return { recordMs, cpuMs: (user + system) / 1000, counts: { ...counts }, kernels: { ...kernels } };
}

const report = {};
for (const [phase, kind] of phases.entries()) {
  const names = kind === 'gan' ? ['discriminator', 'generator'] : ['generator'];
  setParameters('generator');
  setParameters('discriminator');
  const seen = Object.fromEntries(names.map((name) => [name, []]));
  for (let iteration = 0; iteration < Number(values.steps) + 2; iteration++) {
    for (const name of names) {
      // A run sends what the half before has changed.
      const changed = kind === 'gan' ? names.find((other) => other !== name) : name;
      seen[name].push(await half(name, changed, { iteration, replica: 0, phase }));
    }
  }
  for (const [name, all] of Object.entries(seen)) {
    const last = all.at(-1);
    const times = (key) => Number(median(all.slice(2).map((one) => one[key])).toFixed(2));
    report[`${kind} ${name}`] = {
      recordMs: times('recordMs'),
      cpuMs: times('cpuMs'),
      firstCpuMs: Math.round(all[0].cpuMs),
      ...last.counts,
      ...(values.kernels && { kernels: last.kernels }),
    };
  }
}
console.log(JSON.stringify({ bench: 'webgpu-counts', device: backend.device, report }));
process.exit();
