import type { Kernels } from '../types.js';
import { channelSumsOf } from './channel-sums.js';
import { elementwise } from './elementwise.js';

/** max(x, 0) + slope * min(x, 0). */
export const leakyRelu: Kernels['leakyRelu'] = (x, slope) =>
  elementwise('leaky_relu', 'select(slope * x, x, x > 0.0)', { tensors: { x }, numbers: { slope } });

/** dy where y > 0, slope * dy elsewhere. */
export const leakyReluGradient: Kernels['leakyReluGradient'] = (dy, y, slope) =>
  elementwise('leaky_relu_gradient', 'select(slope * dy, dy, y > 0.0)', { tensors: { dy, y }, numbers: { slope } });

/** PReLU with a slope a channel. */
export const prelu: Kernels['prelu'] = (x, slope) =>
  elementwise('prelu', 'select(slope * x, x, x > 0.0)', { tensors: { x }, channels: { slope } });

/** The gradients of PReLU with a slope a channel. */
export const preluGradient: Kernels['preluGradient'] = (dy, x, slope) => {
  const dx = elementwise('prelu_gradient', 'select(slope * dy, dy, x > 0.0)', {
    tensors: { dy, x },
    channels: { slope },
  });
  const [dSlope] = channelSumsOf('prelu_slope', ['dy * min(x, 0.0)'], { tensors: { dy, x } });
  return { dx, dSlope };
};

/*
 * WGSL's exp may make a number of NaN, which would hide that a network has diverged.
 */

/** log(1 + exp(x)). */
export const softplus: Kernels['softplus'] = (x) =>
  elementwise('softplus', 'select(max(x, 0.0) + log(1.0 + exp(-abs(x))), x, isnan(x))', { tensors: { x } });

/** 1 / (1 + exp(-x)). */
export const sigmoid: Kernels['sigmoid'] = (x) =>
  elementwise('sigmoid', 'select(1.0 / (1.0 + exp(-x)), x, isnan(x))', { tensors: { x } });
