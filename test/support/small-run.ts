import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openStore, type ObjectStore, checkpointStore, iterationOf, listCheckpoints } from '@fourfold/store';
import { type BackendName, sha256 } from '@fourfold/common';
import { once } from './once.js';
import { expectFinished, fourfold, photographs, startFourfold, type Process } from './process.js';
import { patientTiming } from './timing.js';

export interface SmallRun {
  /** Arguments for every part of the run. */
  configArgs: string[];
  configPath: string;
  store: ObjectStore;
}

export interface SmallRuns {
  folder: string;
  /** A new run of the same config with its own store; `more` is additional YAML. */
  create(name: string, more?: string): Promise<SmallRun>;
  remove(): Promise<void>;
}

/** Prepare the photographs for small runs at a URL; returns it. */
async function prepareDataset(out: string): Promise<string> {
  const images = join(photographs, 'train');
  const prepared = await fourfold(['prepare', '--images', images, '--out', out, '--sample', '6', '--seed', '1']);
  if (prepared.code !== 0) throw new Error(prepared.stderr);
  return out;
}

/**
 * Runs that differ only in how they are run: tiny networks, five replicas (with two, a + b = b + a would hide the
 * order), both kinds of phases, real photographs. A worker is lost if it is gone, or does not answer an `alert` run,
 * never because it is slow. Dataset and stores are in `objectStore`, a URL; otherwise stores are in a temporary folder, and the
 * dataset is in one that all test files share.
 */
export async function prepareSmallRuns(backend: BackendName = 'wasm', objectStore?: string): Promise<SmallRuns> {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-runs-'));
  const objects = objectStore ?? folder;
  const dataset = objectStore
    ? await prepareDataset(`${objectStore}/dataset`)
    : await once('small-dataset', (shared) => prepareDataset(join(shared, 'dataset')));
  return {
    folder,
    async create(name, more = '') {
      const store = `${objects}/store/${name}`;
      const configPath = join(folder, `${name}.yaml`);
      await writeFile(configPath, smallConfig({ name, dataset, store, backend, folder }) + more);
      return { configPath, configArgs: ['--config', configPath], store: openStore(store).at(`runs/${name}`) };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

const smallConfig = ({ name, dataset, store, backend, folder }: Record<string, string>): string => `
name: ${name}
seed: 7
dataset: ${dataset}
store: ${store}
generator: { channels: 8, blocks: 1 }
discriminator: { channels: 4, dense: 16 }
data: { globalBatch: 10, replicas: 5, crop: 48, cropsPerPicture: 4, windowPictures: 4, flips: true, quarterTurns: true, cacheFolder: '${folder}/cache' }
loss: { content: mse }
phases:
  - { kind: mse, iterations: 3, learningRate: 1.0e-3, decay: cosine }
  - { kind: gan, iterations: 5, learningRate: 1.0e-4 }
checkpoints: { every: 2 }
workers: { backend: ${backend}, threads: 1 }
timing: ${JSON.stringify(patientTiming)}
`;

export const startCoordinator = (run: SmallRun, ...args: string[]): Process =>
  startFourfold(['coordinator', ...run.configArgs, ...args]);

export const startWorkers = (run: SmallRun, count: number, ...args: string[]): Process[] =>
  Array.from({ length: count }, () => startFourfold(['worker', ...run.configArgs, ...args]));

/** Start a part of a run with these variables. */
export const startPart = (
  role: string,
  run: SmallRun,
  environment: Record<string, string>,
  ...args: string[]
): Process => startFourfold([role, ...run.configArgs, ...args], [], environment);

/** Arguments of a coordinator that begins when this many workers have joined: each of them gets a lease. */
export const onceJoined = (workers: number): string[] => ['--set', `workers.minimumToStart=${workers}`];

/** SHA-256 of the networks' weights. */
export interface Weights {
  generator: string;
  discriminator: string;
}

/** SHA-256 of the weights of the newest checkpoint, or of that of an iteration. */
export async function weightsOf(run: SmallRun, iteration?: number): Promise<Weights> {
  const names = await listCheckpoints(run.store);
  const name = iteration === undefined ? names.at(-1) : names.find((one) => iterationOf(one) === iteration);
  if (!name) throw new Error(`${run.store.url} has no checkpoint ${iteration ?? ''}`);
  const checkpoint = checkpointStore(run.store, name);
  return {
    generator: sha256(await checkpoint.get('generator.safetensors')),
    discriminator: sha256(await checkpoint.get('discriminator.safetensors')),
  };
}

/** Run to the end on one worker, undisturbed; returns the weights. */
export async function finishAlone(run: SmallRun): Promise<Weights> {
  const coordinator = startCoordinator(run);
  const [worker] = startWorkers(run, 1);
  await expectFinished(coordinator);
  await expectFinished(worker);
  return weightsOf(run);
}

/** The weights of the small run, undisturbed, on one worker with wasm: all test files compare with the same ones. */
export const referenceWeights = (): Promise<Weights> =>
  once('small-run', async () => {
    const runs = await prepareSmallRuns();
    const weights = await finishAlone(await runs.create('reference'));
    await runs.remove();
    return weights;
  });

/** Wait for a run that must end with the weights of another, such as an undisturbed one. */
export async function expectSameEnd(run: SmallRun, coordinator: Process, reference: Weights): Promise<void> {
  await expectFinished(coordinator);
  expect(await weightsOf(run)).toEqual(reference);
}
