import { describe, expect, test } from 'vitest';
import tf = require('@tensorflow/tfjs-core');
import type { DiscriminatorConfig, GeneratorConfig, LossConfig } from '@fourfold/common';
import { discriminatorLayout, generatorLayout } from '@fourfold/weights';
import { createDiscriminator, createGenerator } from '../networks/networks.js';
import { disposeTensors, uploadParameters } from '../networks/transfer.js';
import { loadReference, onBackend, relativeError, tensorErrors, testedBackends } from '../test-support.js';
import { contentStep, discriminatorStep, generatorStep, readLosses, runGenerator } from './steps.js';

/*
 * A relativistic discriminator, one with a patch head, and frozen batch norms, as PyTorch computes them in float64
 * (test/reference/make_options.py).
 */

/** Largest relative error of a loss, and L2 error of a tensor. */
const limit = 1e-4;

const reference = loadReference('options');
const { crop, adversarialWeight } = reference.settings as { crop: number; adversarialWeight: number };
const heads = reference.settings.heads as Record<string, DiscriminatorConfig['head']>;
const generatorConfig = reference.settings.generator as GeneratorConfig;
const generator = generatorLayout(generatorConfig);

describe.each(testedBackends)('against PyTorch in float64, on %s', (backend) => {
  onBackend(backend);

  test.each(Object.entries(heads))('%s: losses and every gradient of an iteration', async (name, head) => {
    const config = { ...(reference.settings.discriminator as DiscriminatorConfig), head };
    const discriminator = discriminatorLayout(config, crop);
    const adversarial = name === 'relativistic' ? 'relativistic' : 'standard';
    const loss: LossConfig = {
      content: 'mse',
      featureShift: 0,
      vggReduction: 'sum',
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
        layer: createDiscriminator(config),
        parameters: uploadParameters(discriminator, reference.vector(head, discriminator)),
      },
    };
    const [lr, hr] = [reference.tensor('lr'), reference.tensor('hr')];

    const pass = runGenerator(networks.generator, lr);
    expect(relativeError(await pass.sr.data(), reference.get(`${name}/sr`).data)).toBeLessThan(limit);
    const first = discriminatorStep(networks.discriminator, hr, pass.sr, adversarial);
    const content = contentStep('gan', loss, undefined, hr, pass.sr);
    const second = generatorStep(pass, content, { discriminator: networks.discriminator, hr, loss });

    const losses = await readLosses({ ...first.losses, ...second.losses });
    for (const [loss, value] of Object.entries(losses)) {
      expect(relativeError([value], reference.get(`${name}/loss/${loss}`).data), loss).toBeLessThan(limit);
    }
    // Relative logits do not depend on the last bias: its gradient is zero but for rounding.
    const isFree = (name: string) => adversarial === 'relativistic' && name === 'dense2/bias';
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
    for (const { parameters } of Object.values(networks)) disposeTensors(parameters);
    disposeTensors(first.gradients);
    disposeTensors(second.gradients);
  });
});
