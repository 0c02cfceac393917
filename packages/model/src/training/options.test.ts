import { describe, expect, test } from 'vitest';
import tf = require('@tensorflow/tfjs-core');
import type { DiscriminatorConfig, GeneratorConfig, LossConfig } from '@fourfold/common';
import {
  convolutionsUpTo,
  discriminatorLayout,
  featureLayout,
  featureNetworks,
  generatorLayout,
} from '@fourfold/weights';
import { createDiscriminator } from '../networks/discriminator.js';
import { createFeatures } from '../networks/features.js';
import { createGenerator } from '../networks/networks.js';
import { disposeTensors, uploadParameters } from '../networks/transfer.js';
import { loadReference, onBackend, relativeError, tensorErrors, testedBackends } from '../test-support.js';
import { contentStep } from './content-step.js';
import { runFeatures } from './feature-pass.js';
import { discriminatorStep, generatorStep, readLosses, runGenerator } from './steps.js';

/*
 * A relativistic discriminator, one with a patch head, one of features, and frozen batch norms, as PyTorch computes them in float64
 * (test/reference/make_options.py).
 */

/** Largest relative error of a loss, and L2 error of a tensor. */
const limit = 1e-4;

const reference = loadReference('options');
const { crop, adversarialWeight } = reference.settings as { crop: number; adversarialWeight: number };
const heads = reference.settings.heads as Record<string, DiscriminatorConfig['head']>;
const generatorConfig = reference.settings.generator as GeneratorConfig;
const generator = generatorLayout(generatorConfig);
/** What the discriminator of features sees, and its content loss compares. */
const seen = reference.settings.layers as string[];
const layers = seen.map((layer) => ({ layer, relu: 'before' as const, scale: 1 / 12.75, weight: 1 }));
const convolutions = convolutionsUpTo(featureNetworks.vgg16, seen);
const vgg = featureLayout('vgg16', convolutions);

describe.each(testedBackends)('against PyTorch in float64, on %s', (backend) => {
  onBackend(backend);

  test.each(Object.entries(heads))('%s: losses and every gradient of an iteration', async (name, head) => {
    const isOfFeatures = head === 'features';
    const config = { ...(reference.settings.discriminator as DiscriminatorConfig), head, features: seen };
    const discriminator = discriminatorLayout(config, crop);
    const adversarial = name === 'relativistic' || isOfFeatures ? 'relativistic' : 'standard';
    const loss: LossConfig = {
      content: isOfFeatures ? 'features' : 'mse',
      features: { network: 'vgg16', layers, distance: 'squared' },
      featureShift: 0,
      lpipsLayers: 5,
      gridWeight: 0,
      bandWeight: 0,
      vggReduction: 'mean',
      adversarial,
      adversarialWeight,
      totalVariationWeight: 0,
    };
    const networks = {
      generator: {
        layer: createGenerator(generatorConfig, name === 'frozen' ? 'frozen' : 'training'),
        parameters: uploadParameters(generator, reference.vector('generator', generator)),
      },
      discriminator: {
        ...createDiscriminator(config, layers),
        parameters: uploadParameters(discriminator, reference.vector(head, discriminator)),
      },
    };
    const [lr, hr] = [reference.tensor('lr'), reference.tensor('hr')];
    const extractor = {
      features: createFeatures(convolutions, layers),
      parameters: uploadParameters(vgg, reference.vector('vgg', vgg)),
    };

    const pass = runGenerator(networks.generator, lr);
    expect(relativeError(await pass.sr.data(), reference.get(`${name}/sr`).data)).toBeLessThan(limit);
    const features = isOfFeatures ? runFeatures(extractor, hr, pass.sr) : undefined;
    const pictures = { hr, sr: pass.sr, features };
    const first = discriminatorStep(networks.discriminator, pictures, adversarial);
    const content = contentStep('gan', loss, pictures);
    const second = generatorStep(pass, content, { discriminator: networks.discriminator, hr, loss });

    const losses = await readLosses({ ...first.losses, ...second.losses });
    for (const [loss, value] of Object.entries(losses)) {
      expect(relativeError([value], reference.get(`${name}/loss/${loss}`).data), loss).toBeLessThan(limit);
    }
    // Relative logits do not depend on the last bias: its gradient is zero but for rounding.
    const last = ['dense2/bias', ...seen.map((layer) => `${layer}/logits/bias`)];
    const isFree = (name: string) => adversarial === 'relativistic' && last.includes(name);
    const parametersOf = ({ tensors }: typeof generator) =>
      tensors.filter(({ name, kind }) => kind === 'parameter' && !isFree(name));
    for (const [network, layout, { gradients }] of [
      ['discriminator', discriminator, first],
      ['generator', generator, second],
    ] as const) {
      const trained = { ...layout, tensors: parametersOf(layout) };
      const expected = reference.vector(`${name}/${network}-gradient`, trained);
      expect(await tensorErrors(gradients, trained, expected, limit)).toEqual({});
    }
    if (name === 'frozen') {
      const running = { ...generator, tensors: generator.tensors.filter(({ kind }) => kind === 'statistic') };
      const unchanged = reference.vector('generator', generator);
      expect(await tensorErrors(second.gradients, running, unchanged, 1e-12)).toEqual({});
    }
    tf.dispose([lr, hr]);
    for (const { parameters } of [...Object.values(networks), extractor]) disposeTensors(parameters);
    disposeTensors(first.gradients);
    disposeTensors(second.gradients);
  });
});
