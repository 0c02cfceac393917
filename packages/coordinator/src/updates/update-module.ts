import { readFileSync } from 'node:fs';

/** Where a range of a network's parameters and moments begins, in bytes. */
export interface AdamPlaces {
  parameters: number;
  firstMoments: number;
  secondMoments: number;
}

/** A range of Adam's update: where its vectors begin, in bytes, and the numbers that hold for all its elements. */
export interface AdamRange {
  /** What is read, and where the results go. */
  from: AdamPlaces;
  to: AdamPlaces;
  sum: number;
  count: number;
  /** The sum is divided by this. */
  replicas: number;
  beta1: number;
  beta2: number;
  /** 1 - beta, in float64. */
  oneMinusBeta1: number;
  oneMinusBeta2: number;
  /** The learning rate, corrected for the first moment's start at zero. */
  stepSize: number;
  /** The second moment's root is divided by this, for the same reason. */
  rootCorrection2: number;
  epsilon: number;
}

/** Where a product's sum and factors begin, in bytes, their sizes, and the range of inputs that is computed. */
export interface ProductRange {
  sum: number;
  x: number;
  dy: number;
  rows: number;
  inputs: number;
  outputs: number;
  begin: number;
  end: number;
}

/** Where the parameters of a range of whole blocks begin, in both views, and their deltas; in bytes. */
export interface DeltasRange {
  master: number;
  view: number;
  newView: number;
  deltas: number;
  count: number;
}

/** The update module's arithmetic; addresses in bytes, counts in elements. */
export interface UpdateModule {
  allUsable: (source: number, count: number) => number;
  allUsableBf16: (source: number, count: number) => number;
  largest: (source: number, count: number) => number;
  sumOfSquares: (source: number, count: number) => number;
  accumulate: (sum: number, source: number, count: number, first: number) => void;
  accumulateBf16: (sum: number, source: number, count: number, first: number) => void;
  addProduct: (range: ProductRange, scratch: { address: number; count: number }, first: number) => void;
  roundToBf16: (source: number, target: number, count: number) => void;
  roundInPlace: (vector: number, count: number) => void;
  /** Returns whether all differences are finite. */
  takeDeltas: (range: DeltasRange) => boolean;
  /** Returns whether all results are finite. */
  adam: (range: AdamRange) => boolean;
  moveAverages: (
    moved: number,
    running: number,
    sum: number,
    count: number,
    replicas: number,
    momentum: number,
  ) => void;
}

/** What assembly/update.ts exports: WebAssembly's functions take numbers in order, not fields. */
interface UpdateExports extends Omit<UpdateModule, 'addProduct' | 'takeDeltas' | 'adam'> {
  takeDeltas: (...args: number[]) => number;
  addProduct: (...args: number[]) => void;
  adam: (...args: number[]) => number;
}

/** The functions that differ between encodings of single elements. */
export const arithmeticOf = (module: UpdateModule, encoding: 'f32' | 'bf16') =>
  encoding === 'f32'
    ? { allUsable: module.allUsable, accumulate: module.accumulate }
    : { allUsable: module.allUsableBf16, accumulate: module.accumulateBf16 };

/** Instantiate the update module over a shared memory; each thread has its own instance. */
export function instantiateUpdateModule(memory: WebAssembly.Memory): UpdateModule {
  const module = new WebAssembly.Module(readFileSync(new URL('../../dist/update.wasm', import.meta.url)));
  const raw = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as UpdateExports;
  return {
    ...raw,
    addProduct({ sum, x, dy, rows, inputs, outputs, begin, end }, scratch, first) {
      raw.addProduct(sum, x, dy, rows, inputs, outputs, begin, end, scratch.address, scratch.count, first);
    },
    takeDeltas: ({ master, view, newView, deltas, count }) =>
      raw.takeDeltas(master, view, newView, deltas, count) !== 0,
    adam(range) {
      const isFinite = raw.adam(
        range.from.parameters,
        range.from.firstMoments,
        range.from.secondMoments,
        range.to.parameters,
        range.to.firstMoments,
        range.to.secondMoments,
        range.sum,
        range.count,
        range.replicas,
        range.beta1,
        range.oneMinusBeta1,
        range.beta2,
        range.oneMinusBeta2,
        range.stepSize,
        range.rootCorrection2,
        range.epsilon,
      );
      return isFinite !== 0;
    },
  };
}
