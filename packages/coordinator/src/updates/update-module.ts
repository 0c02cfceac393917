import { readFileSync } from 'node:fs';

/** What assembly/update.ts exports; addresses in bytes, counts in elements. */
export interface UpdateModule {
  allUsable: (source: number, count: number) => number;
  allUsableBf16: (source: number, count: number) => number;
  largest: (source: number, count: number) => number;
  accumulate: (sum: number, source: number, count: number, first: number) => void;
  accumulateBf16: (sum: number, source: number, count: number, first: number) => void;
  addProduct: (...args: [...ProductArguments, scratch: number, scratchCount: number, first: number]) => void;
  roundToBf16: (source: number, target: number, count: number) => void;
  adam: (...args: AdamArguments) => void;
  moveAverages: (running: number, sum: number, count: number, replicas: number, momentum: number) => void;
}

/** Addresses and sizes of a product's sum and factors, and the range of its inputs. */
export type ProductArguments = [
  sum: number, x: number, dy: number, rows: number, inputs: number, outputs: number, begin: number, end: number,
]; // prettier-ignore

/** parameters, firstMoments, secondMoments, sum, count, replicas, beta1, 1 - beta1, beta2, 1 - beta2, stepSize, rootCorrection2, epsilon */
export type AdamArguments = [
  number, number, number, number, number, number, number, number, number, number, number, number, number,
]; // prettier-ignore

/** The functions that differ between encodings of single elements. */
export const arithmeticOf = (module: UpdateModule, encoding: 'f32' | 'bf16') =>
  encoding === 'f32'
    ? { allUsable: module.allUsable, accumulate: module.accumulate }
    : { allUsable: module.allUsableBf16, accumulate: module.accumulateBf16 };

/** Instantiate the update module over a shared memory; each thread has its own instance. */
export function instantiateUpdateModule(memory: WebAssembly.Memory): UpdateModule {
  const module = new WebAssembly.Module(readFileSync(new URL('../../dist/update.wasm', import.meta.url)));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as UpdateModule;
}
