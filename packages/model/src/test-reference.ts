import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { DiscriminatorConfig, GeneratorConfig, LossConfig } from '@fourfold/common';
import {
  decodeSafetensors,
  discriminatorLayout,
  generatorLayout,
  type Layout,
  type NamedArray,
} from '@fourfold/weights';
import { createDiscriminator } from './networks/discriminator.js';
import { createGenerator } from './networks/networks.js';
import { disposeTensors, uploadParameters } from './networks/transfer.js';
import { contentStep } from './training/content-step.js';
import { discriminatorStep, generatorStep, readLosses, runGenerator } from './training/steps.js';

/*
 * What PyTorch computed in float64 (test/reference/make_reference.py), and how far the current backend is from it. This needs no test
 * runner: the check of a GPU uses it too.
 */

/** The paper's losses of vgg54, with total variation. */
export const vgg54Loss: LossConfig = {
  content: 'vgg54',
  featureShift: 0,
  lpipsLayers: 5,
  gridWeight: 0,
  bandWeight: 0,
  vggReduction: 'sum',
  adversarial: 'standard',
  adversarialWeight: 1e-3,
  totalVariationWeight: 2e-8,
};

/** Reference tensors that test/reference/make_reference.py wrote, by name, and its settings. */
export interface Reference {
  get(name: string): NamedArray;
  tensor(name: string): tf.Tensor4D;
  /** The flat vector of the tensors `prefix`/NAME. */
  vector(prefix: string, layout: Layout): Float32Array;
  settings: Record<string, unknown>;
}

export function loadReference(file: string): Reference {
  const path = new URL(`../../../test/reference/${file}.safetensors`, import.meta.url);
  const { tensors, metadata } = decodeSafetensors(readFileSync(path), file);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const get = (name: string) => {
    const found = byName.get(name);
    assert(found, `${file} has no ${name}`);
    return found;
  };
  return {
    get,
    tensor: (name) => tf.tensor<tf.Rank.R4>(get(name).data.slice(), get(name).shape as tf.Tensor4D['shape']),
    vector: (prefix, layout) => {
      const vector = new Float32Array(layout.length);
      for (const { name, offset, shape } of layout.tensors) {
        const { data, shape: found } = get(`${prefix}/${name}`);
        assert.deepEqual(found, shape, name);
        vector.set(data, offset);
      }
      return vector;
    },
    settings: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, JSON.parse(value) as unknown])),
  };
}

/** |actual - expected| / |expected|, Euclidean. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** The reference's iteration: networks, layouts and losses. */
export function referenceIteration() {
  const reference = loadReference('iteration');
  const { crop, weights } = reference.settings as {
    crop: number;
    weights: { adversarial: number; totalVariation: number };
  };
  const generatorConfig = reference.settings.generator as GeneratorConfig;
  const discriminatorConfig = reference.settings.discriminator as DiscriminatorConfig;
  const layouts = {
    generator: generatorLayout(generatorConfig),
    discriminator: discriminatorLayout(discriminatorConfig, crop),
  };
  const loss: LossConfig = {
    content: 'mse',
    featureShift: 0,
    lpipsLayers: 5,
    gridWeight: 0,
    bandWeight: 0,
    vggReduction: 'sum',
    adversarial: 'standard',
    adversarialWeight: weights.adversarial,
    totalVariationWeight: weights.totalVariation,
  };
  const upload = (network: 'generator' | 'discriminator') =>
    uploadParameters(layouts[network], reference.vector(network, layouts[network]));
  return { reference, weights, generatorConfig, discriminatorConfig, layouts, loss, upload };
}

/** The relative error of an iteration's SR, losses, gradients and batch statistics on the current backend, by name. */
export async function iterationErrors(): Promise<Record<string, number>> {
  const { reference, generatorConfig, discriminatorConfig, layouts, loss, upload } = referenceIteration();
  const generator = { layer: createGenerator(generatorConfig, 'training'), parameters: upload('generator') };
  const discriminator = { ...createDiscriminator(discriminatorConfig), parameters: upload('discriminator') };
  const [lr, hr] = [reference.tensor('lr'), reference.tensor('hr')];
  const errors: Record<string, number> = {};

  const pass = runGenerator(generator, lr);
  errors['sr'] = relativeError(await pass.sr.data(), reference.get('sr').data);
  const first = discriminatorStep(discriminator, { hr, sr: pass.sr }, 'standard');
  const content = contentStep('gan', loss, { hr, sr: pass.sr });
  const second = generatorStep(pass, content, { discriminator, hr, loss });

  for (const [name, value] of Object.entries(await readLosses({ ...first.losses, ...second.losses }))) {
    errors[`loss/${name}`] = relativeError([value], reference.get(`loss/${name}`).data);
  }
  for (const [network, { gradients }] of [
    ['discriminator', first],
    ['generator', second],
  ] as const) {
    assert.equal(gradients.size, layouts[network].tensors.length, `${network}: a gradient for each tensor`);
    const expected = reference.vector(`${network}-gradient`, layouts[network]);
    for (const { name, offset, sizeElements } of layouts[network].tensors) {
      const gradient = gradients.get(name);
      assert(gradient, name);
      const values = expected.subarray(offset, offset + sizeElements);
      errors[`${network}/${name}`] = relativeError(await gradient.data(), values);
    }
  }
  tf.dispose([lr, hr]);
  for (const tensors of [generator.parameters, discriminator.parameters, first.gradients, second.gradients]) {
    disposeTensors(tensors);
  }
  return errors;
}
