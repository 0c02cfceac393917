import tf = require('@tensorflow/tfjs-core');
import { expect, test } from 'vitest';
import type { BackendName, ContentFeatures, LossConfig } from '@fourfold/common';
import { convolutionsUpTo, featureLayout, lpipsLayout, vggConvolutions } from '@fourfold/weights';
import { createFeatures } from './networks/features.js';
import { disposeTensors, uploadParameters } from './networks/transfer.js';
import { loadReference, onBackend, relativeError } from './test-support.js';
import { bandDistance, createBandFilter } from './training/bands.js';
import { runFeatures } from './training/feature-pass.js';
import { gridDistance } from './training/grid.js';
import { featureLoss, meanAbsoluteError } from './training/losses.js';
import { spreadLoss } from './training/spread.js';

/*
 * Content losses of VGG16's features, as PyTorch computes them in float64 (test/reference/make_features.py).
 */

const limit = 1e-4;
const reference = loadReference('features');

type Case = Pick<ContentFeatures, 'layers' | 'distance'> & { reduction: LossConfig['vggReduction'] };
const cases = reference.settings.cases as Record<string, Case>;
const vgg16 = vggConvolutions(reference.settings.groups as { convolutions: number; width: number }[]);

/** Tests that compare a backend's content losses with PyTorch's in float64. */
export function testFeatureLosses(backend: BackendName): void {
  onBackend(backend);

  test.each(Object.keys(cases))('%s the ReLU: loss and gradient', async (name) => {
    const { layers, distance, reduction } = cases[name];
    const convolutions = convolutionsUpTo(
      vgg16,
      layers.map(({ layer }) => layer),
    );
    const layout = distance === 'lpips' ? lpipsLayout('vgg16', vgg16) : featureLayout('vgg16', convolutions);
    const parameters = uploadParameters(layout, reference.vector('parameters', layout));
    const extractor = { features: createFeatures(convolutions, layers), parameters };
    const [hr, sr] = [reference.tensor('hr'), reference.tensor('sr')];
    const pass = runFeatures(extractor, hr, sr);
    const { value, gradients } = featureLoss(pass, { layers, distance }, reduction);
    const gradient = pass.pullback(gradients);
    expect(relativeError(await value.data(), reference.get(`${name}/loss`).data)).toBeLessThan(limit);
    // Unit length magnifies rounding where a cell has little activity.
    const limitOfGradient = distance === 'lpips' ? 3 * limit : limit;
    expect(relativeError(await gradient.data(), reference.get(`${name}/input-gradient`).data)).toBeLessThan(
      limitOfGradient,
    );
    tf.dispose([hr, sr, value, gradient, gradients]);
    disposeTensors(parameters);
  });

  test('the spread of features in windows', async () => {
    const { layers } = cases['three after'];
    const names = layers.map(({ layer }) => layer);
    const convolutions = convolutionsUpTo(vgg16, names);
    const layout = featureLayout('vgg16', convolutions);
    const parameters = uploadParameters(layout, reference.vector('parameters', layout));
    const [hr, sr] = [reference.tensor('hr'), reference.tensor('sr')];
    const pass = runFeatures({ features: createFeatures(convolutions, layers), parameters }, hr, sr);
    const { value, gradients } = spreadLoss(pass, { layers }, names);
    const ofFeatures = layers.map((_, i) => gradients.get(i)!);
    const gradient = pass.pullback(ofFeatures);
    expect(relativeError(await value.data(), reference.get('spread/loss').data)).toBeLessThan(limit);
    expect(relativeError(await gradient.data(), reference.get('spread/input-gradient').data)).toBeLessThan(limit);
    tf.dispose([hr, sr, value, gradient, ofFeatures]);
    disposeTensors(parameters);
  });

  test.each([
    ['pixels', meanAbsoluteError],
    ['grid', gridDistance],
  ])('losses of the pictures themselves: %s', async (name, distance) => {
    const [hr, sr] = [reference.tensor('hr'), reference.tensor('sr')];
    const { value, gradient } = distance(hr, sr);
    expect(relativeError(await value.data(), reference.get(`${name}/loss`).data)).toBeLessThan(limit);
    expect(relativeError(await gradient.data(), reference.get(`${name}/input-gradient`).data)).toBeLessThan(limit);
    tf.dispose([hr, sr, value, gradient]);
  });

  test('the bands of a cosine transform of the pictures', async () => {
    const [hr, sr] = [reference.tensor('hr'), reference.tensor('sr')];
    const filter = createBandFilter();
    const { value, gradient } = bandDistance(hr, sr, filter);
    expect(relativeError(await value.data(), reference.get('bands/loss').data)).toBeLessThan(limit);
    expect(relativeError(await gradient.data(), reference.get('bands/input-gradient').data)).toBeLessThan(limit);
    tf.dispose([hr, sr, filter, value, gradient]);
  });
}
