import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadRunConfig, parseRunConfig } from './load.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

const minimal = 'name: a\ndataset: photos\nphases: [{ kind: mse, iterations: 2, learningRate: 1.0e-4 }]\n';

async function load(yaml: string, settings: string[] = []) {
  const path = join(folder, 'run.yaml');
  await writeFile(path, yaml);
  return loadRunConfig(path, settings);
}

test('defaults are the paper’s', async () => {
  const config = await load(minimal);
  expect(config.generator).toEqual({ channels: 64, blocks: 16 });
  expect(config.data).toMatchObject({ globalBatch: 16, replicas: 1, crop: 96, cropsPerPicture: 1 });
  expect(config.adam).toEqual({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
  expect(config.dataset).toMatch(/^file:\/\/\/.*\/photos$/);
});

test('the file overrides its recipe, and --set overrides both', async () => {
  const config = await load('recipe: srgan-mse\nname: a\ndataset: d\ndata: { replicas: 4 }', [
    'data.globalBatch=32',
    'phases.1.iterations=7',
  ]);
  expect(config.phases.map((phase) => [phase.kind, phase.iterations])).toEqual([
    ['mse', 1_000_000],
    ['gan', 7],
    ['gan', 100_000],
  ]);
  expect(config.data).toMatchObject({ globalBatch: 32, replicas: 4 });
});

test.each([
  ['replica: 3', 'unknown key replica; the known keys are name, seed'],
  ['data: { replica: 3 }', 'unknown key data.replica; the known keys are globalBatch, replicas'],
  ['data: { globalBatch: many }', 'data.globalBatch is "many": it must be a number'],
  ['data: { globalBatch: 0 }', 'data.globalBatch is 0: it must be at least 1'],
  ['data: { globalBatch: 5, replicas: 2 }', 'data.globalBatch is 5: it must be a multiple of data.replicas, 2'],
  ['timing: { leaseMs: 2000000000 }', 'timing.leaseMs is 2000000000: it must be at most 1073741823'],
  [
    'timing: { heartbeatMs: 900, silenceMs: 1000 }',
    'timing.heartbeatMs is 900: it must be at most half of timing.silenceMs, 1000, or live peers count as lost',
  ],
  ['loss: { content: vgg55 }', 'loss.content is "vgg55": it must be one of mse, vgg22, vgg54'],
  ['data: { crop: 40 }', 'data.crop is 40: it must be a multiple of 16'],
  ['workers: 3', 'workers is 3: it must be a map of keys'],
  ['recipe: nothing', 'recipe nothing does not exist'],
])('refuses %s', async (line, message) => {
  await expect(load(`${minimal}${line}\n`)).rejects.toThrow(message);
});

test('VGG losses need weights', async () => {
  await expect(load('recipe: srgan-vgg54\nname: a\ndataset: d')).rejects.toThrow('it needs VGG19 weights; set vgg');
});

test('scheduleScale shortens every phase alike, once', async () => {
  const config = await load('recipe: srgan-mse\nname: a\ndataset: d', ['scheduleScale=1.0e-5']);
  expect(config.phases.map(({ iterations }) => iterations)).toEqual([10, 1, 1]);
  expect(parseRunConfig(config, 'again')).toEqual(config);
  await expect(load(minimal, ['scheduleScale=2'])).rejects.toThrow(/scheduleScale is 2/);
});

test('a run that starts from another run’s generator skips the first mse phases', async () => {
  const recipe = 'recipe: srgan-mse\nname: a\ndataset: d\n';
  const config = await load(`${recipe}startFrom: photos-mse`);
  expect(config.phases.map(({ kind }) => kind)).toEqual(['gan', 'gan']);
  expect(config.startFrom).toBe('photos-mse');
  expect((await load(`${recipe}startFrom: ./store/runs/b`)).startFrom).toMatch(/^file:\/\/\/.*\/store\/runs\/b$/);
  expect((await load(`${recipe}startFrom: s3://models/runs/b/best`)).startFrom).toBe('s3://models/runs/b/best');
  expect((await load(`${minimal}startFrom: b`)).phases).toEqual((await load(minimal)).phases);
});
