import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contentFeatures, loadRunConfig, type RunConfig } from '@fourfold/common';
import { openStore } from '@fourfold/store';
import { createBatchSource, prepare, prepareDefaults, type Batch } from '@fourfold/data-loader';
import {
  createDiscriminator,
  createFeatures,
  createGenerator,
  disposeTensors,
  probeBackends,
  selectBackend,
  tensorCount,
  uploadParameters,
  type NamedTensors,
} from '@fourfold/model';
import {
  contentConvolutions,
  decodeSafetensors,
  discriminatorLayout,
  factoredWeights,
  featureLayout,
  generatorLayout,
  initialVector,
  type Layout,
} from '@fourfold/weights';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHalves } from './compute/halves.js';
import { lacks } from '../../../test/support/needs.mjs';

/*
 * The first iteration of the paper's five variants, from their recipes and from photographs: as PyTorch computes it in float64
 * (test/reference/make_variants.py), which shares nothing with this but the settings.
 */

/** Largest relative error of a loss, and L2 error of a tensor. */
const limit = 1e-4;

const variants = ['srresnet-mse', 'srresnet-vgg22', 'srgan-mse', 'srgan-vgg22', 'srgan-vgg54'];
const photographs = fileURLToPath(new URL('../../../examples/photographs/train/', import.meta.url));
const referenceFile = fileURLToPath(new URL('../../../test/reference/variants.safetensors', import.meta.url));

/** The plain JavaScript backend would take minutes over a whole VGG19. */
const probes = probeBackends();
const backends = (['wasm', 'torch', 'tensorflow'] as const).filter((name) => {
  const probe = probes.find(({ backend }) => backend === name);
  return name === 'wasm' || !lacks(name, !!probe?.found, probe?.detail);
});

let folder: string;
let reference: Map<string, Float32Array>;
let settings: Record<'seed' | 'crop' | 'salt' | 'generator' | 'discriminator', string>;
let vggVector: Float32Array;
let batch: Batch;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-variants-'));
  const { tensors, metadata } = decodeSafetensors(await readFile(referenceFile), 'variants');
  reference = new Map(tensors.map(({ name, data }) => [name, data]));
  settings = metadata;
  vggVector = hashedVgg(Number(settings.salt));
  batch = await firstBatch(await configOf('srresnet-mse'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A variant's recipe with small networks and crops. */
async function configOf(variant: string): Promise<RunConfig> {
  const { seed, crop, generator, discriminator } = settings;
  const path = join(folder, `${variant}.yaml`);
  const sizes = `generator: ${generator}\ndiscriminator: ${discriminator}\ndata: { globalBatch: 2, crop: ${crop} }`;
  const places = `dataset: dataset\nvgg: vgg.safetensors`;
  await writeFile(path, `recipe: ${variant}\nname: ${variant}\nseed: ${seed}\n${sizes}\n${places}\n`);
  return loadRunConfig(path);
}

/** The first batch of a run on two of the photographs; of a format that decodes alike everywhere. */
async function firstBatch({ data, seed }: RunConfig): Promise<Batch> {
  const images = join(folder, 'images');
  await mkdir(images);
  for (const name of ['astronaut.png', 'chelsea.png']) await cp(join(photographs, name), join(images, name));
  const store = openStore(join(folder, 'dataset'));
  const { manifest } = await prepare({ ...prepareDefaults, images, store, name: 'two' });
  const source = createBatchSource({ store, manifest, data, seed });
  try {
    return await source.batch(0, 0);
  } finally {
    source.close();
  }
}

/** VGG19 whose weights are a hash of their place, so that no file of 80 MB is needed. */
function hashedVgg(salt: number): Float32Array {
  const layout = featureLayout('vgg19');
  const vector = new Float32Array(layout.length);
  for (const [tensor, { init, shape, offset, sizeElements }] of layout.tensors.entries()) {
    const bound = shape.length === 4 && init.kind === 'uniform' ? Math.sqrt(6 / init.fanIn) : 0.1;
    const first = Math.imul(tensor, 0x9e3779b9) + salt;
    for (let i = 0; i < sizeElements; i++) {
      let hash = (first + i) | 0;
      hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
      hash ^= hash >>> 16;
      vector[offset + i] = ((hash >>> 0) / 2 ** 31 - 1) * bound;
    }
  }
  return vector;
}

function relativeError(actual: Float32Array | number[], expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  const squares = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value ** 2, 0);
  return Math.sqrt(squares(expected.map((value, i) => actual[i] - value)) / squares(expected));
}

/** By name, every tensor of a gradient that is not the reference's `prefix`/NAME. */
function tensorErrors(gradient: Float32Array, { tensors }: Layout, prefix: string): Record<string, number> {
  const errors = tensors.map(({ name, offset, sizeElements }): [string, number] => {
    const actual = gradient.subarray(offset, offset + sizeElements);
    return [name, relativeError(actual, expected(`${prefix}/${name}`))];
  });
  return Object.fromEntries(errors.filter(([, error]) => !(error < limit)));
}

function expected(name: string): Float32Array {
  const found = reference.get(name);
  if (!found) throw new Error(`the reference has no ${name}`);
  return found;
}

test('the batch is the photographs’ own pixels, and their LR by another implementation', () => {
  expect(Float32Array.from(batch.hr)).toEqual(expected('hr'));
  expect(Float32Array.from(batch.lr)).toEqual(expected('lr'));
});

describe.each(backends)('against PyTorch in float64, on %s', (backend) => {
  let vgg: NamedTensors;
  beforeAll(async () => {
    await selectBackend({ backend, device: 'cpu', precision: 'f32', threads: 1 });
    vgg = uploadParameters(featureLayout('vgg19'), vggVector);
  });
  afterAll(() => disposeTensors(vgg));

  test.each(variants)('%s: losses and every gradient of the first iteration', async (variant) => {
    const tensorsBefore = tensorCount();
    const config = await configOf(variant);
    const gradientLayouts = {
      generator: generatorLayout(config.generator),
      discriminator: discriminatorLayout(config.discriminator, config.data.crop),
    };
    const initial = (layout: Layout) => uploadParameters(layout, initialVector(layout, config.seed));
    const networks = {
      generator: {
        layer: createGenerator(config.generator, 'training'),
        parameters: initial(gradientLayouts.generator),
      },
      discriminator: {
        ...createDiscriminator(config.discriminator, contentFeatures(config.loss)?.layers),
        parameters: initial(gradientLayouts.discriminator),
      },
    };
    const features = contentFeatures(config.loss);
    const halves = createHalves({
      config,
      gradientLayouts,
      factored: factoredWeights(config),
      networks: { generator: () => networks.generator, discriminator: () => networks.discriminator },
      vgg: features && {
        parameters: vgg,
        features: createFeatures(contentConvolutions(features), features.layers),
      },
    });
    // The phase that the variant is named for: it has one of its own after `mse`, or `mse` alone.
    const own = config.phases.findIndex(({ kind }) => kind !== 'mse');
    const place = { iteration: 0, replica: 0, phase: Math.max(own, 0) };

    const losses: Record<string, number> = {};
    if (config.phases[place.phase].kind === 'gan') {
      const gradient = new Float32Array(gradientLayouts.discriminator.length);
      Object.assign(losses, await halves.discriminator(place, batch, gradient));
      expect(tensorErrors(gradient, gradientLayouts.discriminator, 'discriminator-gradient')).toEqual({});
    }
    const gradient = new Float32Array(gradientLayouts.generator.length);
    Object.assign(losses, await halves.generator(place, batch, gradient));
    expect(tensorErrors(gradient, gradientLayouts.generator, `generator-gradient/${variant}`)).toEqual({});

    const names = [...reference.keys()].filter((name) => name.startsWith(`loss/${variant}/`));
    expect(Object.keys(losses).sort()).toEqual(names.map((name) => name.split('/')[2]).sort());
    for (const [name, value] of Object.entries(losses)) {
      expect(relativeError([value], expected(`loss/${variant}/${name}`)), name).toBeLessThan(limit);
    }
    for (const { parameters } of Object.values(networks)) disposeTensors(parameters);
    expect(tensorCount()).toBe(tensorsBefore);
  });
});
