import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { loadRunConfig } from '@fourfold/common';
import { openCheckpoint, openStore, readGenerator } from '@fourfold/store';
import { prepare, prepareDefaults } from '@fourfold/data-loader';
import { probeBackends, type BackendProbe } from '@fourfold/model';
import { stringify } from 'yaml';
import { examplePhotographs, modelFolder } from '../assets.js';
import { sayDamaged } from '../damaged.js';
import { baselineNames, upscaleBaseline } from '../evaluation-table.js';
import { drawComparison } from '../report/comparison.js';
import { drawCurves } from '../report/curves.js';
import { formatCount, formatDuration } from '../terminal/table.js';
import { createUpscaler, startBackend } from '../upscaling/generator.js';
import { modelNames, type ModelName } from '../upscaling/models.js';
import { defaultTile } from '../upscaling/tiles.js';
import { clearDemoFolder, datasetIn, demoRun, storeIn, type demoFiles } from './demo-folder.js';
import { comparisonRows, describeMeans, measureMethods, tablesByMethod, type Method } from './measurements.js';
import { phaseEndCheckpoints, runTraining } from './training.js';

const trainingPhotographs = join(examplePhotographs, 'train');
const heldOutPhotographs = join(examplePhotographs, 'held-out');

/** Everything that the demo writes, below the working directory. */
const folder = join('out', 'demo');
const place = (name: (typeof demoFiles)[number]): string => join(folder, name);

/** Run every step, but too briefly for any quality. */
const quickSchedule = {
  phases: [
    { kind: 'mse', iterations: 20, learningRate: 2e-3, decay: 'cosine' },
    { kind: 'gan', iterations: 4, learningRate: 1e-4 },
  ],
  logEvery: 2,
};
/** A quick demo validates and measures on this many photographs: that takes longer than its training. */
const quickPhotographs = 1;

/** Whether `--backend auto` may choose it. */
const isAutomatic = ({ found, onlyByName }: BackendProbe): boolean => found && !onlyByName;

/** From photographs to a measured generator, its report and its pictures. Rejects with the signal's reason. */
export async function runDemo(quick: boolean, signal: AbortSignal): Promise<void> {
  const startMs = performance.now();
  await clearDemoFolder(folder);

  const prepared = await prepare({
    images: trainingPhotographs,
    store: openStore(datasetIn(folder)),
    name: 'examples',
    ...prepareDefaults,
    signal,
  });
  console.log(`${formatCount(prepared.taken.length, 'photograph')} prepared in ${datasetIn(folder)}`);

  const configPath = place('config.yaml');
  await writeFile(configPath, demoConfig(quick));
  const config = await loadRunConfig(configPath);
  const { backend: chosen, detail } = probeBackends().find(isAutomatic) as BackendProbe;
  const faster = chosen === 'torch' ? '' : '; npx fourfold setup torch makes it several times faster';
  console.log(`computing on ${chosen} (${detail})${faster}`);
  console.log(`training as ${configPath} says; fourfold train ${configPath} does the same`);
  const trainingMs = performance.now();
  await runTraining(configPath, signal);
  const measuringMs = performance.now();

  console.log(`measuring on the photographs of ${relative('.', heldOutPhotographs)}`);
  const ends = await phaseEndCheckpoints(config);
  const backend = await startBackend(config.workers.backend);
  const generators = ends.map(async ({ kind, checkpoint }): Promise<Method> => {
    const { upscale } = createUpscaler(await readGenerator(checkpoint), 'zeros');
    return { name: `end of ${kind}`, upscale: (lr) => upscale(lr, defaultTile) };
  });
  const baselines = baselineNames.map((name): Method => ({ name, upscale: (lr) => upscaleBaseline(name, lr) }));
  const shipped = await Promise.all(modelNames.map(shippedMethod));
  const measurements = await measureMethods(
    heldOutPhotographs,
    [...baselines, ...(await Promise.all(generators)), ...shipped],
    { most: quick ? quickPhotographs : Infinity, signal },
  );
  const methods = tablesByMethod(measurements);

  const { history } = ends[ends.length - 1].checkpoint.manifest;
  const bicubicPsnr = methods['bicubic'].mean.psnr;
  await writeFile(place('curves.png'), drawCurves({ history, phases: config.phases, bicubicPsnr }));
  await writeFile(place('comparison.png'), drawComparison(comparisonRows(measurements, comparedMethods)));
  const endMs = performance.now();
  const report = {
    finishedAt: new Date().toISOString(),
    seconds: { total: (endMs - startMs) / 1000, training: (measuringMs - trainingMs) / 1000 },
    machine: { node: process.version, cores: availableParallelism(), backend },
    dataset: { photographs: prepared.taken.length, samples: prepared.manifest.samples },
    config,
    checkpoints: Object.fromEntries(ends.map(({ kind, checkpoint }) => [`end of ${kind}`, checkpoint.store.url])),
    methods,
  };
  await writeFile(place('report.json'), JSON.stringify(report, null, 2));
  console.log(`\n${describeMeans(methods)}\n`);
  console.log(
    `${(['report.json', 'curves.png', 'comparison.png'] as const).map(place).join(', ')}: ${formatDuration(endMs - startMs)} in all`,
  );
}

/** A generator that comes with fourfold: what longer training makes. */
async function shippedMethod(name: ModelName): Promise<Method> {
  const checkpoint = await openCheckpoint(modelFolder(name), sayDamaged);
  const { upscale } = createUpscaler(await readGenerator(checkpoint), 'zeros');
  return { name, upscale: (lr) => upscale(lr, defaultTile) };
}

const comparedMethods = {
  nearest: 'LR',
  bicubic: 'bicubic',
  'end of mse': 'fourfold, end of mse',
  'end of gan': 'fourfold, end of gan',
  ...Object.fromEntries(modelNames.map((name) => [name, `shipped: ${name}`])),
};

/** The demo's config file: the recipe, the places, and for a quick demo a short schedule. */
function demoConfig(quick: boolean): string {
  return stringify({
    recipe: 'demo',
    name: demoRun,
    store: storeIn(folder),
    dataset: datasetIn(folder),
    validation: {
      images: relative('.', heldOutPhotographs),
      ...(quick ? { every: 20, pictures: quickPhotographs } : { every: 500 }),
    },
    ...(quick && quickSchedule),
  });
}
