import tf = require('@tensorflow/tfjs-core');
import type { DiscriminatorConfig } from '@fourfold/common';
import type { ContentFeatures } from '@fourfold/common/basics';
import { discriminatorStages } from '@fourfold/weights';
import { leakyRelu } from '../layers/activation.js';
import { batchNorm } from '../layers/batch-norm.js';
import { conv2d } from '../layers/convolution.js';
import { dense, flatten } from '../layers/dense.js';
import { sequential, type Layer, type NamedTensors } from '../layers/layer.js';

/*
 * Discriminators. One of pixels is a single head on pictures in [-1, 1], always with the batch's statistics. One of features has a head
 * on each of the content loss's layers that it sees: these networks know what pictures consist of, so that it need not learn that first
 * (SRFeat, Park et al. 2018; Projected GANs, Sauer et al. 2021).
 */

/** A discriminator with its tensors on the backend. */
export interface Discriminator {
  /** Each maps what it sees to logits, high for HR. */
  heads: Layer[];
  /** Which of the content loss's features the heads see; undefined for pixels. */
  taps?: number[];
  parameters: NamedTensors;
}

/** Each head's input, for HR or for SR. */
export type Seen = tf.Tensor4D[];

/**
 * A discriminator's heads, and what they see: `compared` are the layers of the content loss. The logits of one of pixels are
 * [batch, 1, 1, 1], or one for each 16 x 16 pixels with a `patch` head; those of one of features are one for each of a layer's places.
 */
export function createDiscriminator(
  config: DiscriminatorConfig,
  compared: ContentFeatures['layers'] = [],
): Omit<Discriminator, 'parameters'> {
  if (config.head !== 'features') return { heads: [pixelHead(config)] };
  const taps = (config.features ?? []).map((name) => compared.findIndex(({ layer }) => layer === name));
  return { heads: taps.map((tap) => featureHead(compared[tap].layer, compared[tap].scale)), taps };
}

function pixelHead(config: DiscriminatorConfig): Layer {
  const stages = discriminatorStages(config).flatMap(({ stride }, i) => [
    conv2d(`conv${i + 1}`, { stride, bias: i === 0 }),
    ...(i === 0 ? [] : [batchNorm(`bn${i + 1}`)]),
    leakyRelu(0.2),
  ]);
  const head =
    config.head === 'patch'
      ? [conv2d('logits', { stride: 1, bias: true })]
      : [flatten, dense('dense1'), leakyRelu(0.2), dense('dense2')];
  return sequential(...stages, ...head);
}

/** Convolutions of 1 x 1, 3 x 3 and 3 x 3 on a layer's features times its scale. */
const featureHead = (layer: string, scale: number): Layer =>
  sequential(
    scaled(scale),
    conv2d(`${layer}/conv1`, { stride: 1, bias: true }),
    leakyRelu(0.2),
    conv2d(`${layer}/conv2`, { stride: 1, bias: true }),
    leakyRelu(0.2),
    conv2d(`${layer}/logits`, { stride: 1, bias: true }),
  );

const scaled =
  (factor: number): Layer =>
  (_parameters, x) => [
    tf.mul(x, factor),
    { run: (dy, { input }) => (input ? tf.mul<tf.Tensor4D>(dy, factor) : undefined), dispose: () => undefined },
  ];
