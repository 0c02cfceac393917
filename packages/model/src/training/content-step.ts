import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import type { LossConfig, PhaseConfig } from '@fourfold/common';
import { contentFeatures, type ContentFeatures } from '@fourfold/common/basics';
import { bandDistance } from './bands.js';
import type { Loss } from './distances.js';
import type { FeaturePass } from './feature-pass.js';
import { gridDistance } from './grid.js';
import { featureLoss, meanAbsoluteError, meanSquaredError, totalVariation } from './losses.js';
import { spreadLoss } from './spread.js';

/** Losses by name, on the backend. */
export type LossTensors = Record<string, tf.Scalar>;

/** An iteration's pictures in [-1, 1], and their features if a content loss compares them or a discriminator sees them. */
export interface Pictures {
  hr: tf.Tensor4D;
  sr: tf.Tensor4D;
  features?: FeaturePass;
  /** If the bands have a weight. */
  bandFilter?: tf.Tensor4D;
}

/** The part of the generator's loss that does not depend on the discriminator. generatorStep takes ownership of all of it. */
export interface ContentResult {
  /** content, and pixels, spread, grid, bands and totalVariation if they have a weight; not weighted. */
  losses: LossTensors;
  /** content + the others, weighted. */
  value: tf.Scalar;
  /** Gradient of `value` with respect to SR, but for that through features; undefined for none. */
  dSr?: tf.Tensor4D;
  /** Gradient of `value` with respect to SR's features, which are not mapped to SR yet. */
  ofFeatures?: { pass: FeaturePass; gradients: tf.Tensor4D[] };
}

/**
 * Content loss of a phase: the mean squared error alone in `mse` phases, the configured loss and what is configured beside it in the
 * others. `features` are given if the configured loss compares them; the result owns them. This does not depend on the discriminator
 * and can overlap its exchange.
 */
export function contentStep(
  kind: PhaseConfig['kind'],
  loss: LossConfig,
  { hr, sr, features, bandFilter }: Pictures,
): ContentResult {
  const compared = kind === 'mse' ? undefined : contentFeatures(loss);
  const result = compared ? contentOf(compared) : plainContent(meanSquaredError(hr, sr));
  if (kind === 'mse') return result;
  const { pixels, spread, gridWeight, bandWeight, totalVariationWeight } = loss;
  if (pixels) {
    const distance = pixels.distance === 'squared' ? meanSquaredError(hr, sr) : meanAbsoluteError(hr, sr);
    addTerm(result, 'pixels', distance, pixels.weight);
  }
  if (compared && spread) addSpread(compared, spread);
  if (gridWeight > 0) addTerm(result, 'grid', gridDistance(hr, sr), gridWeight);
  if (bandWeight > 0) {
    assert(bandFilter, 'a loss of bands needs its filter');
    addTerm(result, 'bands', bandDistance(hr, sr, bandFilter), bandWeight);
  }
  if (totalVariationWeight > 0) addTerm(result, 'totalVariation', totalVariation(sr), totalVariationWeight);
  return result;

  function contentOf(compared: ContentFeatures): ContentResult {
    assert(features, `the content loss ${loss.content} needs its network`);
    const { value, gradients } = featureLoss(features, compared, loss.vggReduction);
    return { losses: { content: value }, value: tf.clone(value), ofFeatures: { pass: features, gradients } };
  }

  function addSpread(compared: ContentFeatures, spread: NonNullable<LossConfig['spread']>): void {
    const { pass, gradients } = result.ofFeatures!;
    const added = spreadLoss(pass, compared, spread.layers);
    addValue(result, 'spread', added.value, spread.weight);
    for (const [i, gradient] of added.gradients) gradients[i] = addWeighted(gradients[i], gradient, spread.weight);
  }
}

const plainContent = ({ value, gradient }: Loss): ContentResult => ({
  losses: { content: value },
  value: tf.clone(value),
  dSr: gradient,
});

/** Add a weighted loss to a content step's result, which takes ownership of it. */
function addTerm(result: ContentResult, name: string, { value, gradient }: Loss, weight: number): void {
  addValue(result, name, value, weight);
  result.dSr = addWeighted(result.dSr, gradient, weight);
}

function addValue(result: ContentResult, name: string, value: tf.Scalar, weight: number): void {
  const before = result.value;
  result.losses[name] = value;
  result.value = tf.tidy(() => tf.add(before, tf.mul(value, weight)));
  before.dispose();
}

/** Map the gradient through features to SR, which ends their pass. */
export function pullFeatures(result: ContentResult): void {
  const { ofFeatures, dSr } = result;
  if (!ofFeatures) return;
  result.ofFeatures = undefined;
  const through = ofFeatures.pass.pullback(ofFeatures.gradients);
  tf.dispose(ofFeatures.gradients);
  result.dSr = dSr ? tf.add<tf.Tensor4D>(through, dSr) : through;
  if (dSr) tf.dispose([through, dSr]);
}

/** Free a content step's result that is not passed to generatorStep. */
export function disposeContent({ losses, value, dSr, ofFeatures }: ContentResult): void {
  tf.dispose([value, dSr, ofFeatures?.gradients, ...Object.values(losses)] as tf.TensorContainer);
  ofFeatures?.pass.dispose();
}

/** a + weight * b, or weight * b; frees both. */
export function addWeighted(a: tf.Tensor4D | undefined, b: tf.Tensor4D, weight: number): tf.Tensor4D {
  const sum: tf.Tensor4D = tf.tidy(() => (a ? tf.add(a, tf.mul(b, weight)) : tf.mul(b, weight)));
  tf.dispose(a ? [a, b] : b);
  return sum;
}
