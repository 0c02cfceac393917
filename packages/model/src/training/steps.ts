import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import type { LossConfig, PhaseConfig } from '@fourfold/common';
import { contentFeatures } from '@fourfold/common/basics';
import { kernels } from '../kernels/kernels.js';
import type { Kernels } from '../kernels/types.js';
import { multiplyFactors } from '../layers/dense.js';
import type { NamedTensors, Wanted } from '../layers/layer.js';
import { wideWeights } from '@fourfold/weights';
import {
  fakeLoss,
  featureLoss,
  meanAbsoluteError,
  meanSquaredError,
  realLoss,
  relativisticLoss,
  totalVariation,
} from './losses.js';
import type { Loss } from './distances.js';
import { shiftedLoss, type FeatureShift } from './feature-shift.js';
import type { FeatureExtractor } from '../networks/features.js';
import type { Network } from '../networks/networks.js';
import { disposeTensors } from '../networks/transfer.js';

/*
 * One replica's share of an iteration. A `gan` iteration calls runGenerator, discriminatorStep, (exchange) contentStep,
 * generatorStep; the others call runGenerator, contentStep, generatorStep. No function leaves tensors behind other than
 * its result.
 */

/** The generator's forward pass, shared by both halves of an iteration. */
export interface GeneratorPass {
  /** SR in [-1, 1]; belongs to the pass. */
  sr: tf.Tensor4D;
  /** Map dSR to the parameters' gradients and the batch's statistics, by name. May be called once and ends the pass. */
  pullback(dSr: tf.Tensor4D): NamedTensors;
  /** Free the pass; no effect after its pullback. */
  dispose(): void;
}

/** Losses by name, on the backend. */
export type LossTensors = Record<string, tf.Scalar>;

/** Input of a discriminator update. Losses: discriminatorReal and discriminatorFake. */
export interface DiscriminatorResult {
  losses: LossTensors;
  gradients: NamedTensors;
}

/** The part of the generator's loss that does not depend on the discriminator. */
export interface ContentResult {
  /** content, and pixels and totalVariation if they have a weight; not weighted. */
  losses: LossTensors;
  /** content + weighted pixels and total variation. */
  value: tf.Scalar;
  /** Gradient of `value` with respect to SR. generatorStep takes ownership of the whole result. */
  dSr: tf.Tensor4D;
}

/** Input of a generator update. */
export interface GeneratorResult {
  /** `total` is content + weighted pixels, total variation and adversarial loss; the others are not weighted. */
  losses: LossTensors;
  /** Gradients of the parameters and, under the statistics' names, the batch's means and unbiased variances. */
  gradients: NamedTensors;
}

/** Run the generator (training mode) on LR in [0, 1]; its parameters must live until the pass has ended. */
export function runGenerator({ layer, parameters }: Network, lr: tf.Tensor4D): GeneratorPass {
  const statistics: NamedTensors = new Map();
  const [sr, pullback] = layer(parameters, lr, { saves: true, statistics });
  const dispose = () => {
    pullback.dispose();
    sr.dispose();
    disposeTensors(statistics);
  };
  return {
    sr,
    pullback: (dSr) => {
      const gradients: NamedTensors = new Map();
      pullback.run(dSr, { input: false, gradients });
      for (const [name, tensor] of statistics) gradients.set(name, tensor);
      statistics.clear();
      sr.dispose();
      return gradients;
    },
    dispose,
  };
}

/**
 * Losses and gradients of the discriminator's update on HR and SR in [-1, 1], one pass for each. The gradients of the weights in
 * `factored` are left as factors, HR's rows first.
 */
export function discriminatorStep(
  discriminator: Network,
  hr: tf.Tensor4D,
  sr: tf.Tensor4D,
  adversarial: LossConfig['adversarial'],
  factored: ReadonlySet<string> = new Set(),
): DiscriminatorResult {
  const gradients: NamedTensors = new Map();
  const wanted: Wanted = { input: false, gradients, factored: wideWeights };
  const lossesOf = adversarial === 'relativistic' ? relativisticHalves : standardHalves;
  const losses = lossesOf(discriminator, hr, sr, wanted);
  // One product for both passes: 75 MB at paper size are written once, not once per pass and again for the sum.
  for (const weight of wideWeights) {
    if (discriminator.parameters.has(weight) && !factored.has(weight)) multiplyFactors(gradients, weight);
  }
  return { losses, gradients };
}

/** Losses of the discriminator, one pass after the other, so that only one is kept at a time. */
function standardHalves({ layer, parameters }: Network, hr: tf.Tensor4D, sr: tf.Tensor4D, wanted: Wanted): LossTensors {
  const half = (pictures: tf.Tensor4D, lossOf: typeof realLoss) => {
    const [logits, pullback] = layer(parameters, pictures, { saves: true });
    const { value, gradient } = lossOf(logits);
    pullback.run(gradient, wanted);
    tf.dispose([logits, gradient]);
    return value;
  };
  return { discriminatorReal: half(hr, realLoss), discriminatorFake: half(sr, fakeLoss) };
}

/** Losses of a relativistic discriminator, for which both passes come first. */
function relativisticHalves(
  { layer, parameters }: Network,
  hr: tf.Tensor4D,
  sr: tf.Tensor4D,
  wanted: Wanted,
): LossTensors {
  const [ofHr, backHr] = layer(parameters, hr, { saves: true });
  const [ofSr, backSr] = layer(parameters, sr, { saves: true });
  const { real, fake, gradients } = relativisticLoss(ofHr, ofSr, 'discriminator');
  backHr.run(gradients.real, wanted);
  backSr.run(gradients.fake, wanted);
  tf.dispose([ofHr, ofSr, gradients.real, gradients.fake]);
  return { discriminatorReal: real, discriminatorFake: fake };
}

/**
 * Content loss of a phase: the mean squared error alone in `mse` phases, the configured loss, pixels beside it and total variation in
 * the others. `vgg` is given if the configured loss needs it, `shift` if the config says so. This does not depend on the discriminator and can overlap its
 * exchange.
 */
export function contentStep(
  kind: PhaseConfig['kind'],
  loss: LossConfig,
  vgg: FeatureExtractor | undefined,
  hr: tf.Tensor4D,
  sr: tf.Tensor4D,
  shift?: FeatureShift,
): ContentResult {
  const contentOf = () => contentLoss(loss, vgg, hr, sr, shift);
  const { value: content, gradient } = kind === 'mse' ? meanSquaredError(hr, sr) : contentOf();
  const result: ContentResult = { losses: { content }, value: tf.clone(content), dSr: gradient };
  if (kind === 'mse') return result;
  const { pixels, totalVariationWeight } = loss;
  if (pixels) {
    const distance = pixels.distance === 'squared' ? meanSquaredError(hr, sr) : meanAbsoluteError(hr, sr);
    addTerm(result, 'pixels', distance, pixels.weight);
  }
  if (totalVariationWeight > 0) addTerm(result, 'totalVariation', totalVariation(sr), totalVariationWeight);
  return result;
}

/** Add a weighted loss to a content step's result, which takes ownership of it. */
function addTerm(result: ContentResult, name: string, { value, gradient }: Loss, weight: number): void {
  const before = result.value;
  result.losses[name] = value;
  result.value = tf.tidy(() => tf.add(before, tf.mul(value, weight)));
  before.dispose();
  result.dSr = addWeighted(result.dSr, gradient, weight);
}

function contentLoss(
  loss: LossConfig,
  vgg: FeatureExtractor | undefined,
  hr: tf.Tensor4D,
  sr: tf.Tensor4D,
  shift: FeatureShift | undefined,
): Loss {
  const features = contentFeatures(loss);
  if (!features) return meanSquaredError(hr, sr);
  assert(vgg, `the content loss ${loss.content} needs its network`);
  const lossOf = (hr: tf.Tensor4D, sr: tf.Tensor4D) => featureLoss(vgg, features, loss.vggReduction, hr, sr);
  return shift ? shiftedLoss(shift, hr, sr, lossOf) : lossOf(hr, sr);
}

/** Free a content step's result that is not passed to generatorStep. */
export const disposeContent = ({ losses, value, dSr }: ContentResult): void =>
  tf.dispose([value, dSr, ...Object.values(losses)]);

/** What a generator is trained against. */
export interface Adversary {
  /** The updated discriminator. */
  discriminator: Network;
  /** HR in [-1, 1], to which a relativistic discriminator compares. */
  hr: tf.Tensor4D;
  loss: Pick<LossConfig, 'adversarial' | 'adversarialWeight'>;
}

/**
 * Losses and gradients of the generator's update, against the adversary if given. Ends the pass and takes
 * ownership of the content. The discriminator's weight gradients are not computed.
 */
export function generatorStep(
  pass: GeneratorPass,
  content: ContentResult,
  adversary: Adversary | undefined,
): GeneratorResult {
  if (!adversary) {
    const gradients = pass.pullback(content.dSr);
    content.dSr.dispose();
    return { losses: { total: content.value, ...content.losses }, gradients };
  }
  const { adversarialWeight } = adversary.loss;
  const adversarial = adversarialLoss(adversary, pass.sr);
  const dSr = addWeighted(content.dSr, adversarial.gradient, adversarialWeight);
  const gradients = pass.pullback(dSr);
  const total: tf.Scalar = tf.tidy(() => tf.add(content.value, tf.mul(adversarial.value, adversarialWeight)));
  tf.dispose([dSr, content.value]);
  return { losses: { total, ...content.losses, adversarial: adversarial.value }, gradients };
}

/** The values of losses, which are not freed; `read` copies them to a vector, one after the other. */
export async function peekLosses(
  losses: LossTensors,
  read: Kernels['download'] = kernels().download,
): Promise<Record<string, number>> {
  const values = new Float32Array(Object.keys(losses).length);
  await read(Object.values(losses), values);
  return Object.fromEntries(Object.keys(losses).map((name, i) => [name, values[i]]));
}

/** The values of losses, which are freed. */
export async function readLosses(losses: LossTensors): Promise<Record<string, number>> {
  try {
    return await peekLosses(losses);
  } finally {
    tf.dispose(Object.values(losses));
  }
}

/**
 * Mean softplus(-D(SR)), or half of both relativistic losses, as in BasicSR, so that its weights carry over; the gradient with respect
 * to SR.
 */
function adversarialLoss({ discriminator: { layer, parameters }, hr, loss }: Adversary, sr: tf.Tensor4D): Loss {
  const [logits, pullback] = layer(parameters, sr, { saves: true });
  const { value, gradient } = loss.adversarial === 'relativistic' ? againstHr() : realLoss(logits);
  const dSr = pullback.run(gradient, { input: true }) as tf.Tensor4D;
  tf.dispose([logits, gradient]);
  return { value, gradient: dSr };

  function againstHr(): Loss {
    const [ofHr] = layer(parameters, hr, { saves: false });
    const { real, fake, gradients } = relativisticLoss(ofHr, logits, 'generator');
    const half = tf.tidy(() => ({
      value: tf.mul<tf.Scalar>(tf.add(real, fake), 0.5),
      gradient: tf.mul<tf.Tensor4D>(gradients.fake, 0.5),
    }));
    tf.dispose([ofHr, real, fake, gradients.real, gradients.fake]);
    return half;
  }
}

/** a + weight * b; frees both. */
function addWeighted(a: tf.Tensor4D, b: tf.Tensor4D, weight: number): tf.Tensor4D {
  const sum: tf.Tensor4D = tf.tidy(() => tf.add(a, tf.mul(b, weight)));
  tf.dispose([a, b]);
  return sum;
}
