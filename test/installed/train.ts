// Trains a small generator on a folder of photographs: node train.js PHOTOGRAPHS
import { writeFile } from 'node:fs/promises';
import { loadRunConfig } from '@fourfold/common';
import { addGradient, createMaster } from '@fourfold/coordinator';
import { createBatchSource, prepare, prepareDefaults } from '@fourfold/data-loader';
import { openStore } from '@fourfold/store';
import { safetensorsFromVector } from '@fourfold/weights';
import { sharedVector, startComputeThread } from '@fourfold/worker';

const store = openStore('dataset');
const { manifest } = await prepare({ images: process.argv[2], store, name: 'photographs', ...prepareDefaults });
await writeFile('small.yaml', 'recipe: demo\nname: small\ndataset: dataset\nstore: .\n');
const config = await loadRunConfig('small.yaml', ['data.replicas=1', 'generator.channels=8']);
const batches = createBatchSource({ store, manifest, data: config.data, seed: config.seed });

const { compute, close } = startComputeThread();
const kind = await compute.start(config, { backend: 'auto', device: 'auto', precision: 'f32', threads: 2 });
console.log(`on ${kind.backend}`);
const master = createMaster(config);
const layout = master.layout('generator');
const { vector } = master.state('generator');
const gradient = sharedVector(layout.length);
for (let iteration = 0; iteration < 20; iteration++) {
  await compute.setParameters('generator', vector);
  const batch = await batches.batch(iteration, 0);
  const losses = await compute.generatorHalf({ iteration, replica: 0, phase: 0 }, batch, gradient);
  addGradient(master, 'generator', gradient, true);
  await master.update('generator', 1e-3);
  console.log(iteration, JSON.stringify(losses));
}
await writeFile('generator.safetensors', safetensorsFromVector(layout, vector, {}));
batches.close();
await Promise.all([close(), master.close()]);
