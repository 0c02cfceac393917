import tf = require('@tensorflow/tfjs-core');
import type { FeatureExtractor } from '../networks/features.js';
import { ofWhole, seenOf, type FeatureShift } from './feature-shift.js';

/** The features of HR and SR in an iteration, for the content loss and a discriminator of features. */
export interface FeaturePass {
  /** By layer; they belong to the pass. */
  hr: tf.Tensor4D[];
  sr: tf.Tensor4D[];
  /** The network's tensors, with LPIPS's heads if the content loss is LPIPS. */
  parameters: FeatureExtractor['parameters'];
  /** Map the gradients of SR's features to that of SR, and end the pass. */
  pullback(gradients: tf.Tensor4D[]): tf.Tensor4D;
  /** Free the pass; no effect after its pullback. */
  dispose(): void;
}

/** The features of HR and SR in [-1, 1], without the pixels that `shift` cuts off. HR's pass saves nothing. */
export function runFeatures(
  { features, parameters }: FeatureExtractor,
  hr: tf.Tensor4D,
  sr: tf.Tensor4D,
  shift?: FeatureShift,
): FeaturePass {
  const [seenHr, seenSr] = shift ? [seenOf(shift, hr), seenOf(shift, sr)] : [hr, sr];
  const [ofHr] = features(parameters, seenHr, { saves: false });
  const [ofSr, pullback] = features(parameters, seenSr, { saves: true });
  if (shift) tf.dispose([seenHr, seenSr]);
  const free = () => {
    pullback.dispose();
    tf.dispose([ofHr, ofSr]);
  };
  return {
    hr: ofHr,
    sr: ofSr,
    parameters,
    pullback(gradients) {
      const gradient = pullback.run(gradients);
      free();
      if (!shift) return gradient;
      const whole = ofWhole(shift, gradient);
      gradient.dispose();
      return whole;
    },
    dispose: free,
  };
}
