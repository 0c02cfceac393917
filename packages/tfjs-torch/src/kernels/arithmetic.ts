import tf = require('@tensorflow/tfjs-core');
import type { AddNInputs, BinaryInputs, ClipByValueAttrs, SelectInputs, UnaryInputs } from '@tensorflow/tfjs-core';
import { aten, scalarType } from '../aten.js';
import { define } from '../kernel.js';

const {
  Abs,
  Acos,
  Acosh,
  Add,
  AddN,
  Asin,
  Asinh,
  Atan,
  Atan2,
  Atanh,
  BitwiseAnd,
  Ceil,
  ClipByValue,
  ComplexAbs,
  Cos,
  Cosh,
  Equal,
  Erf,
  Exp,
  Expm1,
  Floor,
  FloorDiv,
  Greater,
  GreaterEqual,
  IsFinite,
  IsInf,
  IsNan,
  Less,
  LessEqual,
  Log,
  Log1p,
  LogicalAnd,
  LogicalNot,
  LogicalOr,
  Maximum,
  Minimum,
  Mod,
  Multiply,
  Neg,
  NotEqual,
  Pow,
  RealDiv,
  Reciprocal,
  Round,
  Rsqrt,
  Select,
  Sign,
  Sin,
  Sinh,
  Sqrt,
  Square,
  SquaredDifference,
  Sub,
  Tan,
} = tf;

/** Kernels with one input, by libtorch's operator. */
const unary: Record<string, string> = {
  [Abs]: 'abs',
  [Acos]: 'acos',
  [Acosh]: 'acosh',
  [Asin]: 'asin',
  [Asinh]: 'asinh',
  [Atan]: 'atan',
  [Atanh]: 'atanh',
  [Ceil]: 'ceil',
  [ComplexAbs]: 'abs',
  [Cos]: 'cos',
  [Cosh]: 'cosh',
  [Erf]: 'erf',
  [Exp]: 'exp',
  [Expm1]: 'expm1',
  [Floor]: 'floor',
  [IsFinite]: 'isfinite',
  [IsInf]: 'isinf',
  [IsNan]: 'isnan',
  [Log]: 'log',
  [Log1p]: 'log1p',
  [LogicalNot]: 'logical_not',
  [Neg]: 'neg',
  [Reciprocal]: 'reciprocal',
  [Round]: 'round',
  [Rsqrt]: 'rsqrt',
  [Sign]: 'sign',
  [Sin]: 'sin',
  [Sinh]: 'sinh',
  [Sqrt]: 'sqrt',
  [Square]: 'square',
  [Tan]: 'tan',
};

/** Kernels with two broadcasting inputs, by libtorch's operator. */
const binary: Record<string, string> = {
  [Atan2]: 'atan2',
  [BitwiseAnd]: 'bitwise_and.Tensor',
  [Equal]: 'eq.Tensor',
  [FloorDiv]: 'floor_divide',
  [Greater]: 'gt.Tensor',
  [GreaterEqual]: 'ge.Tensor',
  [Less]: 'lt.Tensor',
  [LessEqual]: 'le.Tensor',
  [LogicalAnd]: 'logical_and',
  [LogicalOr]: 'logical_or',
  [Maximum]: 'maximum',
  [Minimum]: 'minimum',
  [Mod]: 'remainder.Tensor',
  [Multiply]: 'mul.Tensor',
  [NotEqual]: 'ne.Tensor',
  [RealDiv]: 'div.Tensor',
  [Sub]: 'sub.Tensor',
};

export function defineArithmetic(): void {
  for (const [kernel, operator] of Object.entries(unary)) define<UnaryInputs>(kernel, ({ x }) => aten[operator](x));
  for (const [kernel, operator] of Object.entries(binary)) {
    define<BinaryInputs>(kernel, ({ a, b }) => aten[operator](a, b));
  }
  define<BinaryInputs>(Add, ({ a, b }) => aten['add.Tensor'](a, b), 'stored');
  define<BinaryInputs>(Pow, ({ a, b }, _, { infos }) => {
    if (infos.a.dtype !== 'int32') return aten['pow.Tensor_Tensor'](a, b);
    // libtorch refuses negative powers of integers; doubles hold every int32.
    const powers = aten['pow.Tensor_Tensor'](aten['to.dtype'](a, scalarType.float64), b);
    return aten['to.dtype'](powers, scalarType.int32);
  });
  define<BinaryInputs>(SquaredDifference, ({ a, b }) => aten.square(aten['sub.Tensor'](a, b)));
  define<AddNInputs>(AddN, (inputs) => inputs.reduce((sum, term) => aten['add.Tensor'](sum, term)));
  define<UnaryInputs, ClipByValueAttrs>(ClipByValue, ({ x }, { clipValueMin, clipValueMax }) =>
    aten.clamp(x, clipValueMin, clipValueMax),
  );
  define<SelectInputs>(Select, ({ condition, t, e }, _, { infos }) => {
    const mask = aten['to.dtype'](condition, scalarType.bool);
    // A vector of conditions selects whole rows.
    const rank = infos.t.shape.length;
    const rows = infos.condition.shape.length === 1 && rank > 1;
    const shape = [infos.condition.shape[0], ...Array.from({ length: rank - 1 }, () => 1)];
    return aten['where.self'](rows ? aten.reshape(mask, shape) : mask, t, e);
  });
}
