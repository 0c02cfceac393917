import tf = require('@tensorflow/tfjs-core');
import type { FusedBatchNormAttrs, FusedBatchNormInputs, TensorInfo } from '@tensorflow/tfjs-core';
import { aten, atenTuple } from '../aten.js';
import { define } from '../kernel.js';

const { FusedBatchNorm } = tf;

export function defineNormalisation(): void {
  define<FusedBatchNormInputs, FusedBatchNormAttrs>(
    FusedBatchNorm,
    ({ x, mean, variance, offset, scale }, { varianceEpsilon }) => {
      const inverse = aten.rsqrt(aten['add.Scalar'](variance, varianceEpsilon));
      const factor = scale ? aten['mul.Tensor'](inverse, scale) : inverse;
      const scaled = aten['mul.Tensor'](aten['sub.Tensor'](x, mean), factor);
      return offset ? aten['add.Tensor'](scaled, offset) : scaled;
    },
  );

  /*
   * Beyond TensorFlow.js: batch norm in training. BatchNormTraining {x, gamma, beta}: [y, mean, unbiased variance, then for
   * the gradient: mean, 1 / deviation]. BatchNormTrainingGrad {dy, x, gamma, mean, inverse}: [dx, dGamma, dBeta].
   */
  define<{ x: TensorInfo; gamma: TensorInfo; beta: TensorInfo }, { epsilon: number }>(
    'BatchNormTraining',
    ({ x, gamma, beta }, { epsilon }, { infos }) => {
      // With a momentum of 1 the running averages are the batch's statistics.
      const [mean, variance] = [aten.zeros_like(gamma), aten.zeros_like(gamma)];
      const first = aten.permute(x, [0, 3, 1, 2]);
      const [y, ...saved] = atenTuple.native_batch_norm(first, gamma, beta, mean, variance, true, 1, epsilon);
      // With a single value per channel the unbiased variance is undefined: use the biased one, 0.
      const [batch, height, width] = infos.x.shape;
      const unbiased = batch * height * width > 1 ? variance : aten.zeros_like(gamma);
      return [aten.permute(y, [0, 2, 3, 1]), mean, unbiased, ...saved];
    },
    'stored',
  );
  define<{ dy: TensorInfo; x: TensorInfo; gamma: TensorInfo; mean: TensorInfo; inverse: TensorInfo }>(
    'BatchNormTrainingGrad',
    ({ dy, x, gamma, mean, inverse }) => {
      const first = [0, 3, 1, 2];
      const [dx, dGamma, dBeta] = atenTuple.native_batch_norm_backward(
        aten.permute(dy, first),
        aten.permute(x, first),
        gamma,
        undefined,
        undefined,
        mean,
        inverse,
        true,
        // Used only if the statistics were recomputed, which they are not.
        0,
        [true, true, true],
      );
      return [aten.permute(dx, [0, 2, 3, 1]), dGamma, dBeta];
    },
    'stored',
  );

  defineFrozen();

  // ChannelAffine {x}: x * scale + shift, constants, one of each per channel.
  define<{ x: TensorInfo }, { scale: number[]; shift: number[] }>(
    'ChannelAffine',
    ({ x }, { scale, shift }, { backend }) => aten.addcmul(backend.constant(shift), x, backend.constant(scale)),
  );
}

/*
 * Beyond TensorFlow.js: batch norm with constant statistics. BatchNormFrozen {x, gamma, beta, mean, variance}: y.
 * BatchNormFrozenGrad {dy, x, gamma, mean, variance}: [dx, dGamma, dBeta].
 */
function defineFrozen(): void {
  const toFirst = [0, 3, 1, 2];
  const toLast = [0, 2, 3, 1];
  type Statistics = { gamma: TensorInfo; mean: TensorInfo; variance: TensorInfo };
  define<Statistics & { x: TensorInfo; beta: TensorInfo }, { epsilon: number }>(
    'BatchNormFrozen',
    ({ x, gamma, beta, mean, variance }, { epsilon }) => {
      const first = aten.permute(x, toFirst);
      const [y] = atenTuple.native_batch_norm(first, gamma, beta, mean, variance, false, 0, epsilon);
      return aten.permute(y, toLast);
    },
    'stored',
  );
  define<Statistics & { dy: TensorInfo; x: TensorInfo }, { epsilon: number }>(
    'BatchNormFrozenGrad',
    ({ dy, x, gamma, mean, variance }, { epsilon }) => {
      const [dx, dGamma, dBeta] = atenTuple.native_batch_norm_backward(
        aten.permute(dy, toFirst),
        aten.permute(x, toFirst),
        gamma,
        mean,
        variance,
        undefined,
        undefined,
        false,
        epsilon,
        [true, true, true],
      );
      return [aten.permute(dx, toLast), dGamma, dBeta];
    },
    'stored',
  );
}
