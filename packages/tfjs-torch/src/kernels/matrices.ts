import {
  _FusedMatMul,
  BatchMatMul,
  Diag,
  Einsum,
  FFT,
  IFFT,
  type _FusedMatMulAttrs,
  type _FusedMatMulInputs,
  type BatchMatMulAttrs,
  type BatchMatMulInputs,
  type EinsumAttrs,
  type FFTInputs,
  type TensorInfo,
  type UnaryInputs,
} from '@tensorflow/tfjs-core';
import { aten } from '../aten.js';
import { define } from '../kernel.js';
import type { Handle } from '../native.js';
import { activate } from './activate.js';

interface Transposition {
  transposeA: boolean;
  transposeB: boolean;
}

const product = (a: Handle, b: Handle, { transposeA, transposeB }: Transposition): Handle =>
  aten.matmul(transposeA ? aten.mT(a) : a, transposeB ? aten.mT(b) : b);

export function defineMatrices(): void {
  define<BatchMatMulInputs, BatchMatMulAttrs>(BatchMatMul, ({ a, b }, attributes) => product(a, b, attributes), 'compute');
  define<_FusedMatMulInputs, _FusedMatMulAttrs>(
    _FusedMatMul,
    ({ a, b, bias, preluActivationWeights }, attributes) => {
      const y = product(a, b, attributes);
      return activate(bias ? aten['add.Tensor'](y, bias) : y, attributes, preluActivationWeights);
    },
    'compute',
  );
  define<TensorInfo[], EinsumAttrs>(Einsum, (inputs, { equation }) =>
    aten.contiguous(aten.einsum(equation, inputs as Handle[])),
  );
  define<FFTInputs>(FFT, ({ input }) => aten.fft_fft(input));
  define<FFTInputs>(IFFT, ({ input }) => aten.fft_ifft(input));
  define<UnaryInputs>(Diag, ({ x }, _, { infos }) =>
    aten.reshape(aten.diag(aten.reshape(x, [-1])), [...infos.x.shape, ...infos.x.shape]),
  );
}
