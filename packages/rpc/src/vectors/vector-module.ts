import { readFileSync } from 'node:fs';

/** The exports of assembly/vectors.ts; addresses in bytes, counts in elements. */
export interface VectorModule {
  roundToBf16(source: number, target: number, count: number): void;
  widenBf16(source: number, target: number, count: number): void;
  applyDeltas(from: number, to: number, deltas: number, count: number): void;
  roundInPlace(vector: number, count: number): void;
  /** Return 0 for no, 1 for yes. */
  allUsable: (source: number, count: number) => number;
  allUsableBf16: (source: number, count: number) => number;
  accumulate: (sum: number, source: number, count: number, first: number) => void;
  accumulateBf16: (sum: number, source: number, count: number, first: number) => void;
  /** The check value of whole blocks of 128 bytes; a signed 32-bit integer. */
  frameCheck: (source: number, end: number) => number;
}

let compiled: WebAssembly.Module | undefined;

/** Instantiate the arithmetic of wire vectors on a shared memory. */
export function instantiateVectorModule(memory: WebAssembly.Memory): VectorModule {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('../../dist/vectors.wasm', import.meta.url)));
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as VectorModule;
}
