import { aten, scalarType } from '../aten.js';
import { torchBackend } from '../backend.js';
import { loadNative, type Handle } from '../native.js';

/*
 * What oneDNN, which convolves on the CPU, can do in this build of libtorch and on this processor.
 */

interface OneDnn {
  /** A convolution with a fused ReLU: builds for other processors lack it. */
  hasFusedRelu: boolean;
  /** Convolutions and products in bfloat16: the processor needs AVX-512 or the like. */
  takesBfloat16: boolean;
}

let found: OneDnn | undefined;

function find(): OneDnn {
  try {
    const hasFusedRelu = typeof aten['mkldnn::_convolution_pointwise'] === 'function';
    return { hasFusedRelu, takesBfloat16: Boolean(aten['mkldnn::_is_mkldnn_bf16_supported']()) };
  } catch {
    return { hasFusedRelu: false, takesBfloat16: false };
  }
}

const oneDnn = (): OneDnn => (found ??= find());

/** Whether a convolution on the CPU can apply a ReLU, too. */
export const hasFusedRelu = (): boolean => oneDnn().hasFusedRelu;

/**
 * Compute a convolution or product of `operands` by `compute`, in the first one's precision. Without bfloat16 of its own a processor
 * would run libtorch's plain loops, many times slower than float32: there bfloat16 operands become float32, in which their
 * products are exact, and the result is rounded to bfloat16.
 */
export function inPrecision<Operands extends [Handle, ...(Handle | undefined)[]]>(
  operands: Operands,
  compute: (...operands: Operands) => Handle,
): Handle {
  const isBfloat16 = loadNative().scalarType(operands[0]) === scalarType.bfloat16;
  if (!isBfloat16 || torchBackend().device !== 'cpu' || oneDnn().takesBfloat16) return compute(...operands);
  const wide = operands.map((operand) => operand && aten['to.dtype'](operand, scalarType.float32)) as Operands;
  return aten['to.dtype'](compute(...wide), scalarType.bfloat16);
}
