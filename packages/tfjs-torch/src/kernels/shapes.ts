import tf = require('@tensorflow/tfjs-core');
import type {
  BatchToSpaceNDAttrs,
  BroadCastToAttrs,
  CastAttrs,
  ComplexInputs,
  ConcatAttrs,
  DepthToSpaceAttrs,
  ExpandDimsAttrs,
  MirrorPadAttrs,
  PackAttrs,
  PadV2Attrs,
  ReshapeAttrs,
  ReverseAttrs,
  SpaceToBatchNDAttrs,
  SplitVAttrs,
  TensorInfo,
  TileAttrs,
  TransposeAttrs,
  UnaryInputs,
  UnpackAttrs,
} from '@tensorflow/tfjs-core';
import { aten, atenTuple, scalarTypeOf } from '../aten.js';
import type { TorchBackend } from '../backend.js';
import { define, defineRaw } from '../kernel.js';
import { loadNative, type Handle } from '../native.js';

const {
  backend_util,
  BatchToSpaceND,
  BroadcastTo,
  Cast,
  Complex,
  Concat,
  DepthToSpace,
  ExpandDims,
  Identity,
  Imag,
  MirrorPad,
  Pack,
  PadV2,
  Real,
  Reshape,
  Reverse,
  SpaceToBatchND,
  SplitV,
  Tile,
  Transpose,
  Unpack,
  util,
} = tf;

/** Transposed and made contiguous at once: every reader would copy a view. */
const transposed = (x: Handle, axes: number[]): Handle => aten.contiguous(aten.permute(x, axes));

export function defineShapes(): void {
  // Views: the same data, with one more reference.
  const defineView = (kernel: string, shapeOf: (x: TensorInfo, attributes: never) => number[]) =>
    defineRaw(kernel, ({ inputs, attrs, backend }) => {
      const x = (inputs.x ?? inputs.input) as TensorInfo;
      return (backend as TorchBackend).view(x, shapeOf(x, attrs as never));
    });
  defineView(Identity, (x) => x.shape);
  defineView(Reshape, (x, { shape }: ReshapeAttrs) => util.inferFromImplicitShape(shape, util.sizeFromShape(x.shape)));
  defineView(ExpandDims, ({ shape }, { dim }: ExpandDimsAttrs) => {
    const rank = shape.length;
    util.assert(
      dim >= -(rank + 1),
      () => `the axis of expandDims must be in [${-(rank + 1)}, ${rank}], but it is ${dim}`,
    );
    return shape.toSpliced(dim < 0 ? dim + rank + 1 : dim, 0, 1);
  });

  define<UnaryInputs, CastAttrs>(Cast, ({ x }, { dtype }, { infos }) => {
    const isReal = infos.x.dtype === 'complex64' && dtype !== 'complex64';
    return aten['to.dtype'](isReal ? aten.real(x) : x, scalarTypeOf[dtype], false, true);
  });
  define<ComplexInputs>(Complex, ({ real, imag }) => aten.complex(real, imag));
  define<{ input: TensorInfo }>(Real, ({ input }) => aten.clone(aten.real(input)));
  define<{ input: TensorInfo }>(Imag, ({ input }) => aten.clone(aten.imag(input)));
  define<UnaryInputs, TransposeAttrs>(Transpose, ({ x }, { perm }) => transposed(x, perm), 'stored');
  define<UnaryInputs, ReverseAttrs>(Reverse, ({ x }, { dims }, { infos }) =>
    aten.flip(x, util.parseAxisParam(dims, infos.x.shape)),
  );
  define<UnaryInputs, TileAttrs>(Tile, ({ x }, { reps }) => aten.repeat(x, reps));
  define<UnaryInputs, BroadCastToAttrs>(BroadcastTo, ({ x }, { shape }) => aten.contiguous(aten.expand(x, shape)));
  defineJoining();
  definePadding();
  defineBlocks();
}

function defineJoining(): void {
  define<TensorInfo[], ConcatAttrs>(
    Concat,
    (inputs, { axis }, { infos }) => aten.cat(inputs, util.parseAxisParam(axis, infos[0].shape)[0]),
    'stored',
  );
  define<TensorInfo[], PackAttrs>(Pack, (inputs, { axis }, { infos }) => {
    const [{ dtype }] = infos;
    util.assert(
      infos.every((info) => info.dtype === dtype),
      () => 'tensors of different dtypes cannot be stacked',
    );
    return aten.stack(inputs, axis);
  });
  define<{ value: TensorInfo }, UnpackAttrs>(Unpack, ({ value }, { axis }) => atenTuple['unbind.int'](value, axis));
  define<UnaryInputs, SplitVAttrs>(SplitV, ({ x }, { numOrSizeSplits, axis }, { infos }) => {
    const [dimension] = util.parseAxisParam(axis, infos.x.shape);
    const sizes = backend_util.prepareSplitSize({ shape: infos.x.shape } as never, numOrSizeSplits, dimension);
    return atenTuple.split_with_sizes(x, sizes, dimension);
  });
}

function definePadding(): void {
  define<UnaryInputs, PadV2Attrs>(
    PadV2,
    ({ x }, { paddings, constantValue }) => aten.constant_pad_nd(x, paddings.toReversed().flat(), constantValue),
    'stored',
  );
  define<UnaryInputs, MirrorPadAttrs>(MirrorPad, ({ x }, { paddings, mode }, { infos, backend }) =>
    paddings.reduce((result, [before, after], axis) => {
      const size = infos.x.shape[axis];
      // `reflect` does not repeat the edge, `symmetric` does.
      const edge = mode === 'reflect' ? 0 : 1;
      const mirror = (i: number) => (i < 0 ? -i - edge : i >= size ? 2 * size - 2 - i + edge : i);
      const indices = Int32Array.from({ length: before + size + after }, (_, i) => mirror(i - before));
      return aten.index_select(result, axis, loadNative().write(indices, [indices.length], backend.device));
    }, x),
  );
}

function defineBlocks(): void {
  define<UnaryInputs, DepthToSpaceAttrs>(DepthToSpace, ({ x }, { blockSize: side, dataFormat }, { infos }) => {
    const last = dataFormat === 'NHWC';
    const shape = infos.x.shape;
    const [batch, height, width, depth] = last ? shape : [shape[0], shape[2], shape[3], shape[1]];
    const channels = depth / side ** 2;
    if (last) {
      const split = aten.reshape(x, [batch, height, width, side, side, channels]);
      return aten.reshape(aten.permute(split, [0, 1, 3, 2, 4, 5]), [batch, height * side, width * side, channels]);
    }
    const split = aten.reshape(x, [batch, side, side, channels, height, width]);
    return aten.reshape(aten.permute(split, [0, 3, 4, 1, 5, 2]), [batch, channels, height * side, width * side]);
  });
  define<UnaryInputs, BatchToSpaceNDAttrs>(BatchToSpaceND, ({ x }, { blockShape, crops }, { infos }) => {
    const blocks = blockShape.reduce((product, side) => product * side);
    const reshaped = backend_util.getReshaped(infos.x.shape, blockShape, blocks);
    const axes = backend_util.getPermuted(reshaped.length, blockShape.length);
    const joined = backend_util.getReshapedPermuted(infos.x.shape, blockShape, blocks);
    const begin = backend_util.getSliceBeginCoords(crops, blockShape.length);
    const size = backend_util.getSliceSize(joined, crops, blockShape.length);
    const whole = aten.reshape(aten.permute(aten.reshape(x, reshaped), axes), joined);
    return aten.contiguous(size.reduce((cut, length, axis) => aten.narrow(cut, axis, begin[axis], length), whole));
  });
  define<UnaryInputs, SpaceToBatchNDAttrs>(SpaceToBatchND, ({ x }, { blockShape, paddings }, { infos }) => {
    const blocks = blockShape.reduce((product, side) => product * side);
    const rest = infos.x.shape.length - 1 - blockShape.length;
    const all = [[0, 0], ...paddings, ...Array.from({ length: rest }, () => [0, 0])];
    const shape = infos.x.shape.map((size, axis) => size + all[axis][0] + all[axis][1]);
    const reshaped = backend_util.getReshaped(shape, blockShape, blocks, false);
    const axes = backend_util.getPermuted(reshaped.length, blockShape.length, false);
    const flat = backend_util.getReshapedPermuted(shape, blockShape, blocks, false);
    const padded = aten.constant_pad_nd(x, all.toReversed().flat(), 0);
    return aten.reshape(aten.permute(aten.reshape(padded, reshaped), axes), flat);
  });
}
