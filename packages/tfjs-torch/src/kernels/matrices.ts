import tf = require('@tensorflow/tfjs-core');
import type {
  _FusedMatMulAttrs,
  _FusedMatMulInputs,
  BatchMatMulAttrs,
  BatchMatMulInputs,
  EinsumAttrs,
  FFTInputs,
  Tensor,
  TensorInfo,
  UnaryInputs,
} from '@tensorflow/tfjs-core';
import { aten } from '../aten.js';
import { define, type Context } from '../kernel.js';
import type { Handle } from '../native.js';
import { activate } from './activate.js';
import { inPrecision } from './onednn.js';

const { _FusedMatMul, backend_util, BatchMatMul, Diag, Einsum, FFT, IFFT, util } = tf;

interface Transposition {
  transposeA: boolean;
  transposeB: boolean;
}

type Factors = Context<BatchMatMulInputs>['infos'];

function product(a: Handle, b: Handle, infos: Factors, { transposeA, transposeB }: Transposition): Handle {
  const isMatrix = ({ shape }: TensorInfo) => shape.length >= 2;
  util.assert(isMatrix(infos.a) && isMatrix(infos.b), () => 'matMul takes matrices, but got a tensor of lower rank');
  return inPrecision([transposeA ? aten.mT(a) : a, transposeB ? aten.mT(b) : b], aten.matmul);
}

export function defineMatrices(): void {
  define<BatchMatMulInputs, BatchMatMulAttrs>(
    BatchMatMul,
    ({ a, b }, attributes, { infos }) => product(a, b, infos, attributes),
    'compute',
  );
  define<_FusedMatMulInputs, _FusedMatMulAttrs>(
    _FusedMatMul,
    ({ a, b, bias, preluActivationWeights }, attributes, { infos }) => {
      const y = product(a, b, infos, attributes);
      return activate(bias ? aten['add.Tensor'](y, bias) : y, attributes, preluActivationWeights);
    },
    'compute',
  );
  /*
   * Beyond TensorFlow.js: DenseWeightGrad {x, dy}, [rows, inputs] and [rows, outputs] to [inputs, outputs]. With few rows the
   * cost is writing: float32 in every precision, because bfloat16 would be written first and then converted.
   */
  define<{ x: TensorInfo; dy: TensorInfo }>('DenseWeightGrad', ({ x, dy }) => aten.mm(aten.mT(x), dy));
  define<TensorInfo[], EinsumAttrs>(Einsum, (inputs, { equation }, { infos }) => {
    // libtorch supports more equations than TensorFlow.js allows.
    const { allDims, idDims } = backend_util.decodeEinsumEquation(equation, infos.length);
    backend_util.checkEinsumDimSizes(allDims.length, idDims, infos as unknown as Tensor[]);
    return aten.contiguous(aten.einsum(equation, inputs));
  });
  define<FFTInputs>(FFT, ({ input }) => aten.fft_fft(input));
  define<FFTInputs>(IFFT, ({ input }) => aten.fft_ifft(input));
  define<UnaryInputs>(Diag, ({ x }, _, { infos }) =>
    aten.reshape(aten.diag(aten.reshape(x, [-1])), [...infos.x.shape, ...infos.x.shape]),
  );
}
