import tf = require('@tensorflow/tfjs-core');
import type {
  BackendValues,
  GatherNdInputs,
  GatherV2Attrs,
  GatherV2Inputs,
  OneHotAttrs,
  OneHotInputs,
  ScatterNdAttrs,
  ScatterNdInputs,
  TensorInfo,
  TensorScatterUpdateInputs,
  TopKAttrs,
  UnaryInputs,
  UnsortedSegmentSumAttrs,
  UnsortedSegmentSumInputs,
} from '@tensorflow/tfjs-core';
import { aten, atenTuple, scalarType, scalarTypeOf } from '../aten.js';
import { define } from '../kernel.js';
import { loadNative, type Handle } from '../native.js';

const { backend_util, GatherNd, GatherV2, OneHot, ScatterNd, TensorScatterUpdate, TopK, UnsortedSegmentSum, util } = tf;

const asLong = (indices: Handle): Handle => aten['to.dtype'](indices, scalarType.int64);

/** Indices of several axes [rows, axes] as indices into those axes flattened to one. */
function flatIndices(indices: Handle, rows: number, strides: number[], device: string): Handle {
  const weights = asLong(loadNative().write(Int32Array.from(strides), [strides.length], device));
  const weighted = aten['mul.Tensor'](aten.reshape(asLong(indices), [rows, strides.length]), weights);
  return aten['sum.dim_IntList'](weighted, [1]);
}

/** Not called on CUDA, to avoid waiting for the indices: there the device itself fails on one out of range. */
function assertWithin(indices: BackendValues, size: number): void {
  const wrong = (indices as Int32Array).find((index) => index < 0 || index >= size);
  util.assert(wrong === undefined, () => `GatherV2: the index value ${wrong} is not in [0, ${size - 1}]`);
}

const product = (sides: number[]) => sides.reduce((all, side) => all * side, 1);

/** Add or copy updates to the slices of `shape` at the indices; `onto` makes the target, one slice per row. */
function scatter(
  operator: 'index_add' | 'index_copy',
  onto: (rows: number[]) => Handle,
  { indices, updates }: { indices: Handle; updates: Handle },
  infos: { indices: TensorInfo; updates: TensorInfo },
  shape: number[],
  device: string,
): Handle {
  const { sliceRank, numUpdates, sliceSize, strides, outputSize } = backend_util.calculateShapes(
    infos.updates,
    infos.indices,
    shape,
  );
  const flat = flatIndices(indices, numUpdates, strides.slice(0, sliceRank), device);
  const slices = aten.reshape(updates, [numUpdates, sliceSize]);
  return aten.reshape(aten[operator](onto([outputSize / sliceSize, sliceSize]), 0, flat, slices), shape);
}

export function defineGathering(): void {
  define<GatherV2Inputs, GatherV2Attrs>(GatherV2, ({ x, indices }, { axis, batchDims }, { infos, backend }) => {
    const [dimension] = util.parseAxisParam(axis, infos.x.shape);
    if (backend.device === 'cpu') assertWithin(backend.readSync(infos.indices.dataId), infos.x.shape[dimension]);
    const { batchSize, outerSize, dimSize, sliceSize, outputShape } =
      backend_util.segment_util.collectGatherOpShapeInfo(infos.x, infos.indices, dimension, batchDims ?? 0);
    const count = util.sizeFromShape(infos.indices.shape) / batchSize;
    const source = aten.reshape(x, [batchSize, outerSize, dimSize, sliceSize]);
    const places = aten.reshape(asLong(indices), [batchSize, 1, count, 1]);
    const gathered =
      batchSize === 1
        ? aten.index_select(source, 2, aten.reshape(places, [count]))
        : aten.gather(source, 2, aten.expand(places, [batchSize, outerSize, count, sliceSize]));
    return aten.reshape(gathered, outputShape);
  });
  define<GatherNdInputs>(GatherNd, ({ params, indices }, _, { infos, backend }) => {
    const [shape, rows, sliceSize, strides] = backend_util.prepareAndValidate(infos.params, infos.indices);
    const axes = infos.indices.shape.at(-1) ?? 0;
    const source = aten.reshape(params, [product(infos.params.shape.slice(0, axes)), sliceSize]);
    const flat = flatIndices(indices, rows, strides.slice(0, axes), backend.device);
    return aten.reshape(aten.index_select(source, 0, flat), shape);
  });
  define<ScatterNdInputs, ScatterNdAttrs>(ScatterNd, ({ indices, updates }, { shape }, { infos, backend }) =>
    scatter('index_add', (rows) => aten.new_zeros(updates, rows), { indices, updates }, infos, shape, backend.device),
  );
  define<TensorScatterUpdateInputs>(TensorScatterUpdate, ({ tensor, indices, updates }, _, { infos, backend }) => {
    const { shape } = infos.tensor;
    const onto = (rows: number[]) => aten.reshape(tensor, rows);
    return scatter('index_copy', onto, { indices, updates }, infos, shape, backend.device);
  });
  define<UnsortedSegmentSumInputs, UnsortedSegmentSumAttrs>(
    UnsortedSegmentSum,
    ({ x, segmentIds }, { numSegments }, { infos }) => {
      const rows = infos.segmentIds.shape[0];
      const rest = infos.x.shape.slice(1);
      const sums = aten.new_zeros(x, [numSegments + 1, ...rest]);
      // Negative ids are dropped: they go to a row that is cut off.
      const ids = asLong(segmentIds);
      const kept = aten['where.ScalarOther'](aten['ge.Scalar'](ids, 0), ids, numSegments);
      const added = aten.index_add(sums, 0, kept, aten.reshape(x, [rows, ...rest]));
      return aten.clone(aten.narrow(added, 0, 0, numSegments));
    },
  );
  define<OneHotInputs, OneHotAttrs>(OneHot, ({ indices }, { depth, onValue, offValue, dtype }, { infos, backend }) => {
    const classes = aten.arange(depth, scalarType.int32, undefined, backend.device);
    const column = aten.reshape(indices, [...infos.indices.shape, 1]);
    const hot = aten['where.Scalar'](aten['eq.Tensor'](column, classes), onValue, offValue);
    return aten['to.dtype'](hot, scalarTypeOf[dtype]);
  });
  // A stable sort: equal values stay in order.
  define<UnaryInputs, TopKAttrs>(TopK, ({ x }, { k }) =>
    atenTuple['sort.stable'](x, true, -1, true).map((sorted) => aten.clone(aten.narrow(sorted, -1, 0, k))),
  );
}
