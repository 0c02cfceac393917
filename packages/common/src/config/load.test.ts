import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeError } from '../errors/errors.js';
import { configSource, loadRunConfig, parseRunConfig } from './load.js';
import type { Setting } from './settings.js';

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
  ['replica: 3', 'replica is not a key: the keys are name, seed'],
  ['data: { replica: 3 }', 'data.replica is not a key: did you mean data.replicas?'],
  ['data: { globalBatch: many }', 'data.globalBatch is "many": it must be a number'],
  ['data: { globalBatch: 0 }', 'data.globalBatch is 0: it must be at least 1'],
  ['data: { globalBatch: 5, replicas: 2 }', 'data.globalBatch is 5: it must be a multiple of data.replicas, 2'],
  ['timing: { leaseMs: 2000000000 }', 'timing.leaseMs is 2000000000: it must be at most 1073741823'],
  [
    'timing: { heartbeatMs: 900, silenceMs: 1000 }',
    'timing.heartbeatMs is 900: it must be at most half of timing.silenceMs, 1000, or live peers count as lost',
  ],
  [
    'exchange: { route: chain, transport: grpc }',
    'exchange.route is chain: sums pass on the bulk stream alone; set exchange.transport to auto or stream',
  ],
  [
    'loss: { content: features, features: { network: vgg16, layers: [{ layer: conv3_4 }] } }',
    'loss.features.layers is conv3_4: vgg16 does not have it',
  ],
  [
    'loss: { content: features, features: { layers: [{ layer: conv3_3 }, { layer: conv3_3 }] } }',
    'loss.features.layers is conv3_3: it is named twice after the ReLU',
  ],
  [
    'data: { crop: 16 }\nloss: { featureShift: 3 }',
    'loss.featureShift is 3: the network must see at least 16 pixels of data.crop, 16',
  ],
  [
    'discriminator: { head: features }',
    'discriminator.head is features: it needs discriminator.features, the layers to see',
  ],
  [
    'discriminator: { features: [conv3_3] }',
    'discriminator.features is conv3_3: it needs discriminator.head: features',
  ],
  [
    'discriminator: { head: features, features: [conv4_3] }\nloss: { content: lpips, lpipsLayers: 3 }',
    'discriminator.features is conv4_3: each must be named once, and be once among the layers that loss.content compares (conv1_2, conv2_2, conv3_3)',
  ],
  [
    'loss: { spread: { weight: 1, layers: [conv1_2] } }',
    'loss.spread.layers is conv1_2: each must be named once, and be once among the layers that loss.content compares (conv5_4)',
  ],
  [
    'loss: { content: lpips, spread: { weight: 1, layers: [conv4_3, conv5_3] } }',
    'loss.spread.layers is conv5_3: its features are 16 pixels apart; the deepest is of conv4',
  ],
  [
    'data: { crop: 16 }\nloss: { gridWeight: 1 }',
    'loss.gridWeight is 1: it needs a data.crop of at least 32 pixels, not 16',
  ],
  [
    'data: { crop: 16 }\nloss: { bandWeight: 1 }',
    'loss.bandWeight is 1: it needs a data.crop of at least 32 pixels, not 16',
  ],
  [
    'discriminatorFrom: other',
    'discriminatorFrom is other: no phase trains a discriminator; omit it, or add a gan phase',
  ],
  ['loss: { content: features }', 'loss.content is features: it needs loss.features, with the layers to compare'],
  ['loss: { content: vgg55 }', 'loss.content is "vgg55": it must be one of mse, vgg22, vgg54, features, lpips'],
  ['loss: { lpipsLayers: 3 }', 'loss.lpipsLayers is 3: it needs loss.content: lpips'],
  ['data: { crop: 40 }', 'data.crop is 40: it must be a multiple of 16'],
  ['workers: 3', 'workers is 3: it must be a map of keys'],
])('refuses %s', async (line, message) => {
  await expect(load(`${minimal}${line}\n`)).rejects.toThrow(message);
});

test.each<[string, string[], string]>([
  [
    'data: { crop: 40, replica: 2 }\nloss: { content: vgg55 }\nvgg_file: x',
    [],
    'FILE: data.crop is 40: it must be a multiple of 16; data.replica is not a key: did you mean data.replicas?; ' +
      'loss.content is "vgg55": it must be one of mse, vgg22, vgg54, features, lpips (did you mean vgg54?); ' +
      'vgg_file is not a key: did you mean vgg?',
  ],
  [
    'data: { globalBatch: 5, replicas: 2 }\ntiming: { heartbeatMs: 900, silenceMs: 1000 }',
    [],
    'FILE: data.globalBatch is 5: it must be a multiple of data.replicas, 2; timing.heartbeatMs is 900: it must be at most half of timing.silenceMs, 1000, or live peers count as lost',
  ],
  ['', ['data.crop=40'], '--set data.crop=40: it must be a multiple of 16'],
  [
    'data: { crop: 40 }',
    ['data.crops=64'],
    'FILE: data.crop is 40: it must be a multiple of 16; --set data.crops=64: data.crops is not a key: did you mean data.crop?',
  ],
  ['', ['data.replicas=3'], '--set data.replicas=3: data.globalBatch is 16: it must be a multiple of data.replicas, 3'],
  ['', ['data.crop.x=1'], '--set data.crop.x=1: data.crop is {"x":1}: it must be a number'],
  [
    '',
    ['data.crop=[1'],
    '--set data.crop=[1: its value is not YAML: Flow sequence must end with a ] at line 1, column 3',
  ],
  ['', ['data.crop'], '--set data.crop: it must look like key=value, such as data.replicas=2'],
  ['', ['phases=[]'], '--set phases=[]: it must not be empty'],
])('%j with --set %j is refused with all problems, each blamed on its place', async (line, settings, message) => {
  const text = `${minimal}${line}\n`;
  const refusal: unknown = await load(text, settings).catch((error: unknown) => error);
  expect((refusal as Error).message.replaceAll(join(folder, 'run.yaml'), 'FILE')).toBe(message);
});

test('a problem of an option that stands for a key is blamed on the option', async () => {
  const path = join(folder, 'run.yaml');
  await writeFile(path, minimal);
  const backend: Setting = { option: '--backend tensorlow', sets: 'workers.backend=tensorlow' };
  await expect(loadRunConfig(path, ['workers.backend=wasm', backend])).rejects.toThrow(
    '--backend tensorlow: it must be one of auto, torch, tensorflow, webgpu, wasm, cpu (did you mean tensorflow?)',
  );
});

test('an unknown recipe is answered with the recipes and the one that was meant', async () => {
  const all = 'the recipes are demo, srgan-mse, srgan-vgg22, srgan-vgg54, srresnet-mse, srresnet-vgg22';
  const refusal = async (yaml: string, settings: string[] = []) =>
    describeError(await load(yaml, settings).catch((error: unknown) => error)).replaceAll(/\S*run\.yaml/g, 'FILE');
  expect(await refusal('recipe: dmeo')).toBe(
    `FILE: recipe is "dmeo": there is no such recipe; did you mean demo? ${all}`,
  );
  expect(await refusal('recipe: 7')).toBe(`FILE: recipe is 7: there is no such recipe; ${all}`);
  expect(await refusal(minimal, ['recipe=../x'])).toBe(
    `--set recipe=../x: recipe is "../x": there is no such recipe; ${all}`,
  );
});

test('--set chooses a recipe, too', async () => {
  const config = await load('name: a\ndataset: d', ['recipe=srgan-mse', 'phases.0.iterations=7']);
  expect(config.phases.map(({ iterations }) => iterations)).toEqual([7, 100_000, 100_000]);
});

test('standard input has a name in messages', () => {
  expect([configSource('-'), configSource('run.yaml')]).toEqual(['standard input', 'run.yaml']);
});

test('VGG losses need weights', async () => {
  await expect(load('recipe: srgan-vgg54\nname: a\ndataset: d')).rejects.toThrow('it needs VGG19 weights; set vgg');
  const refusal = await load(`${minimal.replace('mse', 'gan')}loss: { content: features }\n`).catch(describeError);
  expect(refusal).toContain('it needs loss.features');
  expect(refusal).not.toContain('weights');
});

test('scheduleScale shortens every phase alike, once', async () => {
  const config = await load('recipe: srgan-mse\nname: a\ndataset: d', ['scheduleScale=1.0e-5']);
  expect(config.phases.map(({ iterations }) => iterations)).toEqual([10, 1, 1]);
  expect(parseRunConfig(config, 'again')).toEqual(config);
  await expect(load(minimal, ['scheduleScale=2'])).rejects.toThrow(/--set scheduleScale=2: it must be at most 1/);
});

test('a learning rate of the discriminator’s own needs a phase that trains one', async () => {
  const set = (value: string) => load('name: a\ndataset: d\nrecipe: srgan-mse', [`phases.${value}`]);
  const { phases } = await set('1.discriminatorLearningRate=4e-4');
  expect(phases.map(({ discriminatorLearningRate }) => discriminatorLearningRate)).toEqual([
    undefined,
    4e-4,
    undefined,
  ]);
  await expect(set('0.discriminatorLearningRate=4e-4')).rejects.toThrow(
    'phases.0.discriminatorLearningRate=4e-4: a phase of kind mse trains no discriminator; omit it',
  );
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
