import tf = require('@tensorflow/tfjs-core');
import type {
  EluGradInputs,
  LeakyReluAttrs,
  LeakyReluInputs,
  LogSoftmaxAttrs,
  PreluInputs,
  ReluInputs,
  SoftmaxAttrs,
  StepAttrs,
  TensorInfo,
} from '@tensorflow/tfjs-core';
import { aten, atenTuple, scalarType } from '../aten.js';
import { define } from '../kernel.js';
import { loadNative, type Handle } from '../native.js';
import { prelu } from './activate.js';

const { Elu, EluGrad, LeakyRelu, LogSoftmax, Prelu, Relu, Relu6, Selu, Sigmoid, Softmax, Softplus, Step, Tanh } = tf;

export function defineActivations(): void {
  define<ReluInputs>(Relu, ({ x }) => aten.relu(x), 'stored');
  define<ReluInputs>(Relu6, ({ x }) => aten.clamp(x, 0, 6), 'stored');
  define<LeakyReluInputs, LeakyReluAttrs>(
    LeakyRelu,
    ({ x }, { alpha }, { infos }) =>
      aten.leaky_relu(infos.x.dtype === 'float32' ? x : aten['to.dtype'](x, scalarType.float32), alpha),
    'stored',
  );
  define<PreluInputs>(Prelu, ({ x, alpha }) => prelu(x, alpha), 'stored');
  define<ReluInputs>(Elu, ({ x }) => aten.elu(x));
  define<EluGradInputs>(EluGrad, ({ dy, y }) => aten.elu_backward(dy, 1, 1, 1, true, y));
  define<ReluInputs>(Selu, ({ x }) => aten.selu(x));
  define<ReluInputs>(Sigmoid, ({ x }) => aten.sigmoid(x));
  define<ReluInputs>(Softplus, ({ x }) => aten.softplus(x));
  define<ReluInputs>(Tanh, ({ x }) => aten.tanh(x));
  define<{ logits: TensorInfo }, SoftmaxAttrs>(Softmax, ({ logits }, { dim }) => aten._softmax(logits, dim, false));
  define<{ logits: TensorInfo }, LogSoftmaxAttrs>(LogSoftmax, ({ logits }, { axis }) =>
    aten._log_softmax(logits, axis, false),
  );
  // 1 above 0, alpha elsewhere; NaN stays NaN.
  define<ReluInputs, StepAttrs>(Step, ({ x }, { alpha }) => {
    const steps = aten['where.Scalar'](aten['gt.Scalar'](x, 0), 1, alpha);
    const sameType = aten['to.dtype'](steps, loadNative().scalarType(x));
    return aten['where.self'](aten['ne.Tensor'](x, x), x, sameType);
  });

  /*
   * Beyond TensorFlow.js: gradients in one kernel. LeakyReluGrad {dy, y}: from the result's sign, for slopes >= 0.
   * PreluGrad {dy, x, alpha}: [dx, dAlpha], one slope per channel.
   */
  define<{ dy: TensorInfo; y: TensorInfo }, { alpha: number }>(
    'LeakyReluGrad',
    ({ dy, y }, { alpha }) =>
      alpha === 0 ? aten.threshold_backward(dy, y, 0) : aten.leaky_relu_backward(dy, y, alpha, true),
    'stored',
  );
  define<{ dy: TensorInfo; x: TensorInfo; alpha: TensorInfo }>(
    'PreluGrad',
    ({ dy, x, alpha }, _, { backend }) =>
      backend.device === 'cpu' ? preluGradientInVectors(dy, x, alpha) : preluGradient(dy, x, alpha),
    'stored',
  );
}

/** [dx, dAlpha] of PReLU with one slope per channel: libtorch's kernel, and a sum over all other axes. */
function preluGradient(dy: Handle, x: Handle, alpha: Handle): Handle[] {
  const slope = aten.reshape(aten['to.dtype'](alpha, loadNative().scalarType(x)), [1, -1, 1, 1]);
  const first = [0, 3, 1, 2];
  const [dx, dAlpha] = atenTuple._prelu_kernel_backward(aten.permute(dy, first), aten.permute(x, first), slope);
  return [aten.permute(dx, [0, 2, 3, 1]), sumByChannel(dAlpha, [0, 2, 3])];
}

/** The same on the CPU in half the time, with vectorised kernels: libtorch's takes one element after the other. */
function preluGradientInVectors(dy: Handle, x: Handle, alpha: Handle): Handle[] {
  const slope = aten['to.dtype'](alpha, loadNative().scalarType(x));
  const positive = aten.threshold_backward(dy, x, 0);
  const negative = aten['sub.Tensor'](dy, positive);
  const dx = aten.addcmul(positive, negative, slope);
  return [dx, sumByChannel(aten['mul_.Tensor'](negative, x), [0, 1, 2])];
}

const sumByChannel = (x: Handle, axes: number[]): Handle => aten['sum.dim_IntList'](x, axes, false, scalarType.float32);
