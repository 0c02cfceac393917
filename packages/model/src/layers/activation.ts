import type tf = require('@tensorflow/tfjs-core');
import { kernels } from '../kernels/kernels.js';
import { addGradient, named, savingPullback, type Layer } from './layer.js';

/** max(x, 0) + slope * min(x, 0) with one slope per channel, `name`/slope (He et al. 2015). 0 counts as the negative side. */
export function prelu(name: string): Layer {
  return (parameters, x, forward) => {
    const slope = named<tf.Tensor1D>(parameters, `${name}/slope`);
    const pullback = savingPullback(forward, [x], ([saved], dy, { input, gradients }) => {
      const { dx, dSlope } = kernels().preluGradient(dy, saved, slope);
      if (gradients) addGradient(gradients, `${name}/slope`, dSlope);
      else dSlope.dispose();
      if (input) return dx;
      dx.dispose();
      return undefined;
    });
    return [kernels().prelu(x, slope), pullback];
  };
}

/** max(x, 0) + slope * min(x, 0) with one fixed slope >= 0. Saves its result, which the next layer saves too. */
export function leakyRelu(slope: number): Layer {
  return (_parameters, x, forward) => {
    const y = kernels().leakyRelu(x, slope);
    const pullback = savingPullback(forward, [y], ([saved], dy, { input }) =>
      input ? kernels().leakyReluGradient(dy, saved, slope) : undefined,
    );
    return [y, pullback];
  };
}

/** max(x, 0). */
export const relu: Layer = leakyRelu(0);
