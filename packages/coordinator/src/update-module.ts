import { readFileSync } from 'node:fs';

/** What assembly/update.ts exports; addresses in bytes, counts in elements. */
export interface UpdateModule {
  allFinite(source: number, count: number): number;
  accumulate(sum: number, source: number, count: number, first: number): void;
  adam(...args: AdamArguments): void;
  moveAverages(running: number, sum: number, count: number, replicas: number, momentum: number): void;
}

/** parameters, firstMoments, secondMoments, sum, count, replicas, beta1, 1 - beta1, beta2, 1 - beta2, stepSize, rootCorrection2, epsilon */
export type AdamArguments = [
  number, number, number, number, number, number, number, number, number, number, number, number, number,
]; // prettier-ignore

/** Instantiate the update module over a shared memory; each thread has its own instance. */
export function instantiateUpdateModule(memory: WebAssembly.Memory): UpdateModule {
  const module = new WebAssembly.Module(readFileSync(new URL('../dist/update.wasm', import.meta.url)));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as UpdateModule;
}
