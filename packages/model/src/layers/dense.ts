import tf = require('@tensorflow/tfjs-core');
import { kernels } from '../kernels/kernels.js';
import { factorNames } from '@fourfold/weights';
import { addGradient, appendRows, named, savingPullback, type Layer, type NamedTensors } from './layer.js';

/** Dense layer on vectors [batch, 1, 1, inputs], with a bias; its tensors are `name`/weight and /bias. */
export function dense(name: string): Layer {
  return (parameters, x, forward) => {
    const weight = named<tf.Tensor2D>(parameters, `${name}/weight`);
    const [inputs, outputs] = weight.shape;
    const y = tf.tidy(() => {
      const rows = kernels().dense(tf.reshape(x, [-1, inputs]), weight, named(parameters, `${name}/bias`));
      return tf.reshape<tf.Rank.R4>(rows, [-1, 1, 1, outputs]);
    });
    const pullback = savingPullback(forward, [x], ([saved], dy, { input, gradients, factored }) => {
      const dyRows = tf.reshape<tf.Rank.R2>(dy, [-1, outputs]);
      if (gradients) {
        const xRows = tf.reshape<tf.Rank.R2>(saved, [-1, inputs]);
        if (factored?.has(`${name}/weight`)) {
          const names = factorNames(`${name}/weight`);
          appendRows(gradients, names.inputs, tf.clone(xRows));
          appendRows(gradients, names.outputGradients, tf.clone(dyRows));
        } else {
          addGradient(gradients, `${name}/weight`, kernels().denseWeightGradient(xRows, dyRows));
        }
        addGradient(gradients, `${name}/bias`, tf.sum(dyRows, 0));
        xRows.dispose();
      }
      const dx = input ? asVectors(kernels().denseInputGradient(dyRows, weight)) : undefined;
      dyRows.dispose();
      return dx;
    });
    return [y, pullback];
  };
}

/** Replace a dense weight's factors by its gradient, their product. */
export function multiplyFactors(gradients: NamedTensors, weight: string): void {
  const names = factorNames(weight);
  const inputs = named<tf.Tensor2D>(gradients, names.inputs);
  const outputGradients = named<tf.Tensor2D>(gradients, names.outputGradients);
  gradients.set(weight, kernels().denseWeightGradient(inputs, outputGradients));
  for (const name of Object.values(names)) gradients.delete(name);
  tf.dispose([inputs, outputGradients]);
}

/** [batch, height, width, channels] to vectors [batch, 1, 1, height * width * channels]. */
export const flatten: Layer = (_parameters, x) => {
  const y = tf.reshape<tf.Rank.R4>(x, [x.shape[0], 1, 1, -1]);
  return [y, { run: (dy, { input }) => (input ? tf.reshape(dy, x.shape) : undefined), dispose: () => undefined }];
};

function asVectors(rows: tf.Tensor2D): tf.Tensor4D {
  const vectors = tf.reshape<tf.Rank.R4>(rows, [rows.shape[0], 1, 1, rows.shape[1]]);
  rows.dispose();
  return vectors;
}
