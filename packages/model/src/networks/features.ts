import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import { vggInput, type FeatureConvolution, type VggPreprocessing } from '@fourfold/weights';
import { kernels } from '../kernels/kernels.js';
import { relu } from '../layers/activation.js';
import { fixedConv2d, fixedConv2dRelu, stridedConv2dRelu } from '../layers/convolution.js';
import { sequential, type Forward, type Layer, type NamedTensors } from '../layers/layer.js';
import { maxPool, overlappingMaxPool } from '../layers/resampling.js';

/** Where features are taken: before or after the ReLU of a convolution. */
export interface Tap {
  layer: string;
  relu: 'before' | 'after';
}

/** What a pass through a feature network saved. */
export interface FeaturesPullback {
  /** Map the gradients of the features, in the order of the taps, to that of the pictures; may be called once. */
  run(gradients: tf.Tensor4D[]): tf.Tensor4D;
  /** Free what was saved without running. */
  dispose(): void;
}

/** Maps (parameters, RGB in [-1, 1]) to the features at each tap, which belong to the caller, and the pullback. */
export type Features = (
  parameters: NamedTensors,
  x: tf.Tensor4D,
  forward: Forward,
) => [features: tf.Tensor4D[], pullback: FeaturesPullback];

/** A feature network with its tensors on the backend. */
export interface FeatureExtractor {
  features: Features;
  parameters: NamedTensors;
}

/**
 * A network's features at the taps, which are ordered by depth. `convolutions` reach to the last of them; pictures are scaled
 * as the weights expect.
 */
export function createFeatures(
  convolutions: FeatureConvolution[],
  taps: readonly Tap[],
  preprocessing: VggPreprocessing = 'imagenet',
): Features {
  const segments = segmentsOf(convolutions, taps, preprocessing);
  return (parameters, x, forward) => {
    const pullbacks: ReturnType<Layer>[1][] = [];
    const features: tf.Tensor4D[] = [];
    let y = x;
    for (const segment of segments) {
      const [next, pullback] = segment(parameters, y, forward);
      features.push((y = next));
      pullbacks.push(pullback);
    }
    return [
      features,
      {
        run: (gradients) => runBackwards(pullbacks, gradients),
        dispose: () => pullbacks.forEach((pullback) => pullback.dispose()),
      },
    ];
  };
}

/** The layers up to the first tap, from there to the second, and so on. */
function segmentsOf(
  convolutions: FeatureConvolution[],
  taps: readonly Tap[],
  preprocessing: VggPreprocessing,
): Layer[] {
  const segments: Layer[] = [];
  let layers: Layer[] = [normalisation(preprocessing)];
  const cut = () => {
    segments.push(sequential(...layers));
    layers = [];
  };
  for (const convolution of convolutions) {
    const { name, pooling, side, stride, padding } = convolution;
    if (pooling > 0) layers.push(pooling === 2 ? maxPool : overlappingMaxPool);
    const isTapped = (where: Tap['relu']) => taps.some((tap) => tap.layer === name && tap.relu === where);
    if (isTapped('before')) {
      layers.push(fixedConv2d(name));
      cut();
      layers.push(relu);
    } else {
      const isSame = stride === 1 && 2 * padding === side - 1;
      layers.push(isSame ? fixedConv2dRelu(name) : stridedConv2dRelu(name, stride, padding));
    }
    if (isTapped('after')) cut();
  }
  assert.equal(segments.length, taps.length, 'taps are ordered, and differ');
  return segments;
}

function runBackwards(pullbacks: ReturnType<Layer>[1][], gradients: tf.Tensor4D[]): tf.Tensor4D {
  let dx: tf.Tensor4D | undefined;
  for (const [i, pullback] of [...pullbacks.entries()].reverse()) {
    const dy: tf.Tensor4D = dx ? tf.add(gradients[i], dx) : gradients[i];
    const next = pullback.run(dy, { input: true }) as tf.Tensor4D;
    if (dx) tf.dispose([dx, dy]);
    dx = next;
  }
  return dx!;
}

/** From RGB in [-1, 1] to the input that the weights expect. */
const normalisation = (preprocessing: VggPreprocessing): Layer => {
  const { scale, shift } = vggInput[preprocessing];
  const toInput = (dy: tf.Tensor4D) => kernels().channelAffine(dy, scale, [0, 0, 0]);
  return (_parameters, x) => [
    kernels().channelAffine(x, scale, shift),
    { run: (dy, { input }) => (input ? toInput(dy) : undefined), dispose: () => undefined },
  ];
};
