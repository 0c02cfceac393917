import tf = require('@tensorflow/tfjs-core');
import { aten, scalarType } from '../aten.js';
import { loadNative, type Handle } from '../native.js';

/** Attributes of kernels that end with an activation. */
interface Activation {
  activation: tf.backend_util.Activation;
  leakyreluAlpha?: number;
}

/** Apply a fused kernel's activation to its fresh result. */
export function activate(x: Handle, { activation, leakyreluAlpha }: Activation, preluWeights?: Handle): Handle {
  switch (activation ?? 'linear') {
    case 'linear':
      return x;
    case 'relu':
      return aten.relu_(x);
    case 'relu6':
      return aten.clamp_(x, 0, 6);
    case 'elu':
      return aten.elu_(x);
    case 'sigmoid':
      return aten.sigmoid_(x);
    case 'leakyrelu':
      return aten.leaky_relu_(x, leakyreluAlpha ?? 0.2);
    case 'prelu':
      return prelu(x, preluWeights as Handle);
    default:
      throw new Error(`unknown activation ${String(activation)}`);
  }
}

/** max(x, 0) + slope * min(x, 0), where the slope has any shape that broadcasts. */
export function prelu(x: Handle, slope: Handle): Handle {
  const native = loadNative();
  const sameType = aten['to.dtype'](slope, native.scalarType(x));
  const [rank, slopeShape, shape] = [native.shape(x).length, native.shape(slope), native.shape(x)];
  if (rank === 4 && slopeShape.at(-1) === shape[3] && slopeShape.slice(0, -1).every((side) => side === 1)) {
    // libtorch's channels are the second axis; moving them there needs no copy.
    const first = aten.permute(x, [0, 3, 1, 2]);
    return aten.permute(aten._prelu_kernel(first, aten.reshape(sameType, [1, -1, 1, 1])), [0, 2, 3, 1]);
  }
  const isFloat = native.scalarType(x) === scalarType.float32 || native.scalarType(x) === scalarType.bfloat16;
  return isFloat
    ? aten._prelu_kernel(x, sameType)
    : aten['where.self'](aten['gt.Scalar'](x, 0), x, aten['mul.Tensor'](x, slope));
}
