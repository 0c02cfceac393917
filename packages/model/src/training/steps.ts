import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import type { LossConfig } from '@fourfold/common';
import { kernels } from '../kernels/kernels.js';
import type { Kernels } from '../kernels/types.js';
import { multiplyFactors } from '../layers/dense.js';
import type { NamedTensors, Wanted } from '../layers/layer.js';
import { wideWeights } from '@fourfold/weights';
import { addWeighted, pullFeatures, type ContentResult, type LossTensors, type Pictures } from './content-step.js';
import { addFreeing, fakeLoss, realLoss, relativisticLoss } from './losses.js';
import type { Loss } from './distances.js';
import type { Discriminator, Seen } from '../networks/discriminator.js';
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

/** Input of a discriminator update. Losses: discriminatorReal and discriminatorFake. */
export interface DiscriminatorResult {
  losses: LossTensors;
  gradients: NamedTensors;
}

/** Input of a generator update. */
export interface GeneratorResult {
  /** `total` is the weighted sum of all; the others are not weighted. */
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
 * Losses and gradients of the discriminator's update on HR and SR in [-1, 1], one pass for each; `features` are given if it sees
 * those. The gradients of the weights in `factored` are left as factors, HR's rows first.
 */
export function discriminatorStep(
  discriminator: Discriminator,
  { hr, sr, features }: Pictures,
  adversarial: LossConfig['adversarial'],
  factored: ReadonlySet<string> = new Set(),
): DiscriminatorResult {
  const gradients: NamedTensors = new Map();
  const wanted: Wanted = { input: false, gradients, factored: wideWeights };
  const lossesOf = adversarial === 'relativistic' ? relativisticHalves : standardHalves;
  const [ofHr, ofSr] = [seenBy(discriminator, hr, features?.hr), seenBy(discriminator, sr, features?.sr)];
  const { parameters } = discriminator;
  const losses = discriminator.heads
    .map((layer, i) => lossesOf({ layer, parameters }, ofHr[i], ofSr[i], wanted))
    .reduce((sum, ofHead) => ({
      discriminatorReal: addFreeing(sum.discriminatorReal, ofHead.discriminatorReal),
      discriminatorFake: addFreeing(sum.discriminatorFake, ofHead.discriminatorFake),
    }));
  // One product for both passes: 75 MB at paper size are written once, not once per pass and again for the sum.
  for (const weight of wideWeights) {
    if (parameters.has(weight) && !factored.has(weight)) multiplyFactors(gradients, weight);
  }
  return { losses, gradients };
}

/** What each head of a discriminator sees of pictures that have these features. */
function seenBy({ taps }: Discriminator, pictures: tf.Tensor4D, features: tf.Tensor4D[] | undefined): Seen {
  if (!taps) return [pictures];
  assert(features, 'a discriminator of features needs them');
  return taps.map((tap) => features[tap]);
}

/** Losses of a head, one pass after the other, so that only one is kept at a time. */
function standardHalves({ layer, parameters }: Network, hr: tf.Tensor4D, sr: tf.Tensor4D, wanted: Wanted): LossTensors {
  const half = (seen: tf.Tensor4D, lossOf: typeof realLoss) => {
    const [logits, pullback] = layer(parameters, seen, { saves: true });
    const { value, gradient } = lossOf(logits);
    pullback.run(gradient, wanted);
    tf.dispose([logits, gradient]);
    return value;
  };
  return { discriminatorReal: half(hr, realLoss), discriminatorFake: half(sr, fakeLoss) };
}

/** Losses of a relativistic head, for which both passes come first. */
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

/** What a generator is trained against. */
export interface Adversary {
  /** The updated discriminator. */
  discriminator: Discriminator;
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
  const adversarial = adversary && addAdversarial(pass.sr, content, adversary);
  pullFeatures(content);
  assert(content.dSr, 'a content loss has a gradient');
  const gradients = pass.pullback(content.dSr);
  content.dSr.dispose();
  if (!adversarial) return { losses: { total: content.value, ...content.losses }, gradients };
  const { adversarialWeight } = adversary.loss;
  const total: tf.Scalar = tf.tidy(() => tf.add(content.value, tf.mul(adversarial, adversarialWeight)));
  content.value.dispose();
  return { losses: { total, ...content.losses, adversarial }, gradients };
}

/** Add the weighted adversarial gradient to the content's, where the discriminator looks; the adversarial loss. */
function addAdversarial(sr: tf.Tensor4D, content: ContentResult, { discriminator, hr, loss }: Adversary): tf.Scalar {
  const { heads, taps, parameters } = discriminator;
  const { ofFeatures } = content;
  // Before the discriminator's gradient is added to that of SR, the content's is complete: in this order bits stay.
  if (!taps) pullFeatures(content);
  const ofHr = seenBy(discriminator, hr, ofFeatures?.pass.hr);
  const ofSr = seenBy(discriminator, sr, ofFeatures?.pass.sr);
  return heads
    .map((layer, i) => {
      const { value, gradient } = adversarialLoss({ layer, parameters }, ofHr[i], ofSr[i], loss.adversarial);
      if (!taps) content.dSr = addWeighted(content.dSr, gradient, loss.adversarialWeight);
      else addTo(ofFeatures!.gradients, taps[i], gradient, loss.adversarialWeight);
      return value;
    })
    .reduce(addFreeing);
}

function addTo(gradients: tf.Tensor4D[], at: number, gradient: tf.Tensor4D, weight: number): void {
  gradients[at] = addWeighted(gradients[at], gradient, weight);
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
 * Mean softplus(-D(SR)) of a head, or half of both relativistic losses, as in BasicSR, so that its weights carry over; the gradient with
 * respect to what it sees of SR.
 */
function adversarialLoss(
  { layer, parameters }: Network,
  hr: tf.Tensor4D,
  sr: tf.Tensor4D,
  adversarial: LossConfig['adversarial'],
): Loss {
  const [logits, pullback] = layer(parameters, sr, { saves: true });
  const { value, gradient } = adversarial === 'relativistic' ? againstHr() : realLoss(logits);
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
