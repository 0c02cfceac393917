import { readFileSync } from 'node:fs';

/** The exports of assembly/bf16.ts; addresses in bytes, counts in elements. */
export interface Bf16Module {
  roundToBf16(source: number, target: number, count: number): void;
  widenBf16(source: number, target: number, count: number): void;
}

let compiled: WebAssembly.Module | undefined;

/** Instantiate the conversions on a shared memory. */
export function instantiateBf16(memory: WebAssembly.Memory): Bf16Module {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('../../dist/bf16.wasm', import.meta.url)));
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Bf16Module;
}
