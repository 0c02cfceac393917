// Measures whether the size of a dataset matters to a data-loader: start-up time, memory, and CPU time a batch, for datasets of pixels
// of a hundredth of the samples and of all of them. Their shards are links to those of a few photographs, so that disk and page cache play no part.
// node bench/many-pictures.mjs [--samples 350000] [--batches 200] [--images FOLDER] [--rounds 3] [--json]
import { copyFile, link, mkdtemp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadRunConfig } from '../packages/common/dist/index.js';
import {
  createBatchSource,
  prepare,
  prepareDefaults,
  readDatasetManifest,
} from '../packages/data-loader/dist/index.js';
import { openStore } from '../packages/store/dist/index.js';
import { runChild } from '../scripts/child-processes.mjs';
import { median } from './median.mjs';

const { values: options } = parseArgs({
  options: {
    samples: { type: 'string', default: '350000' },
    batches: { type: 'string', default: '200' },
    images: { type: 'string', default: fileURLToPath(new URL('../examples/photographs/train', import.meta.url)) },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    /** The measuring process: this program starts itself with it. */
    dataset: { type: 'string' },
  },
});
/** By default less than an epoch of the small dataset too: in it each shard is verified once. */
const batches = Number(options.batches);
const warmup = 10;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (options.dataset) console.log(JSON.stringify(await measureDataset(options.dataset)));
else await compareSizes();

/** Prepare the photographs once, then measure a small and a large dataset of their shards in turns, each in a process of its own. */
async function compareSizes() {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-many-'));
  try {
    const store = openStore(join(folder, 'photographs'));
    const images = await repeatPhotographs(folder, Math.min(20, Math.ceil(Number(options.samples) / 1000)));
    const size = { tile: 200, minimumSide: 96, encoding: 'pixels' };
    const { manifest } = await prepare({ ...prepareDefaults, ...size, images, store, name: 'many' });
    const sizes = [Number(options.samples) / 100, Number(options.samples)];
    const datasets = await Promise.all(sizes.map((samples) => repeatShards(folder, manifest, Math.ceil(samples))));
    const rounds = datasets.map(() => []);
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const [i, { dataset }] of datasets.entries()) rounds[i].push(await measureInProcess(dataset));
    }
    const rows = datasets.map(({ samples, shards }, i) => ({ samples, shards, ...medians(rounds[i]) }));
    if (options.json) console.log(JSON.stringify({ batches, rounds: Number(options.rounds), rows }));
    else console.table(rows);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A folder in which each photograph stands so many times, so that shards are as large as those of a real dataset. */
async function repeatPhotographs(folder, times) {
  const images = join(folder, 'images');
  await mkdir(images);
  for (const file of await readdir(options.images)) {
    for (let i = 0; i < times; i++) await copyFile(join(options.images, file), join(images, `${i}-${file}`));
  }
  return images;
}

/** A dataset in `folder` of at least so many samples, whose shards are links to those of `manifest`, again and again. */
async function repeatShards(folder, manifest, atLeast) {
  const dataset = join(folder, `dataset-${atLeast}`);
  await mkdir(dataset);
  const files = await readdir(join(folder, 'photographs'), { recursive: true });
  const pathOf = (name) =>
    join(
      folder,
      'photographs',
      files.find((file) => file.endsWith(name)),
    );
  const shards = [];
  let samples = 0;
  while (samples < atLeast) {
    const shard = manifest.shards[shards.length % manifest.shards.length];
    const file = `${String(shards.length).padStart(6, '0')}.tar`;
    await link(pathOf(shard.file), join(dataset, file));
    shards.push({ ...shard, file });
    samples += shard.samples;
  }
  await writeFile(join(dataset, 'manifest.json'), JSON.stringify({ ...manifest, pictures: samples, samples, shards }));
  return { dataset, samples, shards: shards.length };
}

async function measureInProcess(dataset) {
  const args = [fileURLToPath(import.meta.url), '--dataset', dataset, '--batches', options.batches];
  return JSON.parse((await runChild(process.execPath, ['--expose-gc', ...args])).stdout);
}

/** Open a dataset as a data-loader does and make batches of 16 crops, one at a time. */
async function measureDataset(dataset) {
  const config = await loadRunConfig(here('configs/paper.yaml'), [`dataset=${dataset}`]);
  const store = openStore(dataset);
  let source;
  const startMs = await cpuMs(async () => {
    const manifest = await readDatasetManifest(store);
    source = createBatchSource({ store, manifest, data: config.data, seed: config.seed });
  });
  globalThis.gc();
  const openedMiB = process.memoryUsage().rss / 2 ** 20;
  const make = async (begin, end) => {
    for (let iteration = begin; iteration < end; iteration++) source.reuse(await source.batch(iteration, 0));
  };
  const firstBatchMs = await cpuMs(() => make(0, 1));
  await make(1, warmup);
  const batchMs = (await cpuMs(() => make(warmup, warmup + batches))) / batches;
  globalThis.gc();
  const result = { startMs, openedMiB, firstBatchMs, batchMs, endMiB: process.memoryUsage().rss / 2 ** 20 };
  source.close();
  return result;
}

/** CPU time of this process while `work` runs. */
async function cpuMs(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** The median of each figure, to two decimals. */
function medians(rounds) {
  const middle = (key) => Math.round(median(rounds.map((round) => round[key])) * 100) / 100;
  return Object.fromEntries(Object.keys(rounds[0]).map((key) => [key, middle(key)]));
}
