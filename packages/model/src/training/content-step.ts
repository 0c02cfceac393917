import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import type { LossConfig, PhaseConfig } from '@fourfold/common';
import { contentFeatures, type ContentFeatures } from '@fourfold/common/basics';
import type { Loss } from './distances.js';
import type { FeaturePass } from './feature-pass.js';
import { featureLoss, meanAbsoluteError, meanSquaredError, totalVariation } from './losses.js';

/** Losses by name, on the backend. */
export type LossTensors = Record<string, tf.Scalar>;

/** An iteration's pictures in [-1, 1], and their features if a content loss compares them or a discriminator sees them. */
export interface Pictures {
  hr: tf.Tensor4D;
  sr: tf.Tensor4D;
  features?: FeaturePass;
}

/** The part of the generator's loss that does not depend on the discriminator. generatorStep takes ownership of all of it. */
export interface ContentResult {
  /** content, and pixels and totalVariation if they have a weight; not weighted. */
  losses: LossTensors;
  /** content + weighted pixels and total variation. */
  value: tf.Scalar;
  /** Gradient of `value` with respect to SR, but for that through features; undefined for none. */
  dSr?: tf.Tensor4D;
  /** Gradient of `value` with respect to SR's features, which are not mapped to SR yet. */
  ofFeatures?: { pass: FeaturePass; gradients: tf.Tensor4D[] };
}

/**
 * Content loss of a phase: the mean squared error alone in `mse` phases, the configured loss, pixels beside it and total variation in
 * the others. `features` are given if the configured loss compares them; the result owns them. This does not depend on the discriminator
 * and can overlap its exchange.
 */
export function contentStep(
  kind: PhaseConfig['kind'],
  loss: LossConfig,
  { hr, sr, features }: Pictures,
): ContentResult {
  const compared = kind === 'mse' ? undefined : contentFeatures(loss);
  const result = compared ? contentOf(compared) : plainContent(meanSquaredError(hr, sr));
  if (kind === 'mse') return result;
  const { pixels, totalVariationWeight } = loss;
  if (pixels) {
    const distance = pixels.distance === 'squared' ? meanSquaredError(hr, sr) : meanAbsoluteError(hr, sr);
    addTerm(result, 'pixels', distance, pixels.weight);
  }
  if (totalVariationWeight > 0) addTerm(result, 'totalVariation', totalVariation(sr), totalVariationWeight);
  return result;

  function contentOf(compared: ContentFeatures): ContentResult {
    assert(features, `the content loss ${loss.content} needs its network`);
    const { value, gradients } = featureLoss(features, compared, loss.vggReduction);
    return { losses: { content: value }, value: tf.clone(value), ofFeatures: { pass: features, gradients } };
  }
}

const plainContent = ({ value, gradient }: Loss): ContentResult => ({
  losses: { content: value },
  value: tf.clone(value),
  dSr: gradient,
});

/** Add a weighted loss to a content step's result, which takes ownership of it. */
function addTerm(result: ContentResult, name: string, { value, gradient }: Loss, weight: number): void {
  const before = result.value;
  result.losses[name] = value;
  result.value = tf.tidy(() => tf.add(before, tf.mul(value, weight)));
  before.dispose();
  result.dSr = addWeighted(result.dSr, gradient, weight);
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
