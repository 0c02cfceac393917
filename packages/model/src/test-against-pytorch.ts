import tf = require('@tensorflow/tfjs-core');
import { expect, test } from 'vitest';
import { type BackendName, contentFeatures } from '@fourfold/common';
import { convolutionsUpTo, featureLayout, vggConvolutions } from '@fourfold/weights';
import { runFeatures } from './training/feature-pass.js';
import { featureLoss, realLoss } from './training/losses.js';
import { createFeatures } from './networks/features.js';
import { createDiscriminator } from './networks/discriminator.js';
import { createGenerator } from './networks/networks.js';
import { contentStep, disposeContent } from './training/content-step.js';
import { iterationErrors, loadReference, referenceIteration, relativeError } from './test-reference.js';
import { onBackend } from './test-support.js';
import { disposeTensors, uploadParameters } from './networks/transfer.js';

/** Largest relative L2 error of a tensor against float64. */
const limit = 1e-4;

const {
  reference: iteration,
  weights,
  generatorConfig,
  discriminatorConfig,
  layouts,
  loss,
  upload,
} = referenceIteration();

/** Tests that compare a backend with PyTorch in float64: iterations, inference, VGG19's content losses. */
export function testAgainstPytorch(backend: BackendName): void {
  onBackend(backend);

  test('an iteration: outputs, losses, every parameter gradient, batch statistics', async () => {
    const errors = await iterationErrors();
    expect(Object.keys(errors).filter((name) => name.startsWith('loss/'))).toHaveLength(6);
    expect(Object.entries(errors).filter(([, error]) => !(error < limit))).toEqual([]);
  });

  test('input gradients of generator and discriminator', async () => {
    const [generator, discriminator] = [upload('generator'), upload('discriminator')];
    const [lr, hr] = [iteration.tensor('lr'), iteration.tensor('hr')];
    const [sr, back] = createGenerator(generatorConfig, 'training')(generator, lr, { saves: true });
    const [logits, discriminatorBack] = createDiscriminator(discriminatorConfig).heads[0](discriminator, sr, {
      saves: true,
    });
    expect(relativeError(await logits.data(), iteration.get('logits/adversarial').data)).toBeLessThan(limit);

    const adversarial = realLoss(logits);
    const bySr = discriminatorBack.run(adversarial.gradient, { input: true })!;
    expect(relativeError(await bySr.data(), iteration.get('input-gradient/sr').data)).toBeLessThan(limit);

    const content = contentStep('gan', loss, { hr, sr });
    const total: tf.Tensor4D = tf.tidy(() => tf.add(content.dSr!, tf.mul(bySr, weights.adversarial)));
    const byLr = back.run(total, { input: true })!;
    expect(relativeError(await byLr.data(), iteration.get('input-gradient/lr').data)).toBeLessThan(limit);
    tf.dispose([lr, hr, sr, logits, adversarial.value, adversarial.gradient, bySr, total, byLr]);
    disposeContent(content);
    disposeTensors(generator);
    disposeTensors(discriminator);
  });

  test('inference with running averages after one update', async () => {
    const { generator } = layouts;
    const vector = iteration.vector('generator', generator);
    const batch = iteration.vector('generator-gradient', generator);
    for (const { name, kind, offset, sizeElements } of generator.tensors) {
      if (kind === 'parameter') continue;
      for (let i = offset; i < offset + sizeElements; i++) vector[i] = 0.9 * vector[i] + 0.1 * batch[i];
      const running = iteration.get(`generator-running/${name}`).data;
      expect(relativeError(vector.subarray(offset, offset + sizeElements), running)).toBeLessThan(limit);
    }
    const parameters = uploadParameters(generator, vector);
    const lr = iteration.tensor('lr');
    const [sr] = createGenerator(generatorConfig, 'inference')(parameters, lr, { saves: false });
    expect(relativeError(await sr.data(), iteration.get('inference/sr').data)).toBeLessThan(limit);
    tf.dispose([lr, sr]);
    disposeTensors(parameters);
  });

  test.each(['vgg22', 'vgg54'] as const)('content loss and input gradient of %s', async (depth) => {
    const reference = loadReference('vgg');
    const groups = reference.settings.groups as { convolutions: number; width: number }[];
    const config = contentFeatures({ content: depth })!;
    const convolutions = convolutionsUpTo(vggConvolutions(groups), [config.layers[0].layer]);
    const layout = featureLayout('vgg19', convolutions);
    const parameters = uploadParameters(layout, reference.vector('parameters', layout));
    const network = createFeatures(convolutions, config.layers);
    const [hr, sr] = [reference.tensor('hr'), reference.tensor('sr')];
    const [[features]] = network(parameters, sr, { saves: false });
    expect(features.shape).toEqual(reference.get(`${depth}/features`).shape);
    expect(relativeError(await features.data(), reference.get(`${depth}/features`).data)).toBeLessThan(limit);
    features.dispose();
    for (const reduction of ['sum', 'mean'] as const) {
      const pass = runFeatures({ features: network, parameters }, hr, sr);
      const { value, gradients } = featureLoss(pass, config, reduction);
      const gradient = pass.pullback(gradients);
      const expected = `${depth}/${reduction}`;
      expect(relativeError(await value.data(), reference.get(`${expected}/loss`).data)).toBeLessThan(limit);
      expect(relativeError(await gradient.data(), reference.get(`${expected}/input-gradient`).data)).toBeLessThan(
        limit,
      );
      tf.dispose([value, gradient, gradients]);
    }
    tf.dispose([hr, sr]);
    disposeTensors(parameters);
  });
}
