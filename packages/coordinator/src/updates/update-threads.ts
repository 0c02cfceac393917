import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '@fourfold/common';
import type { Stamp } from '@fourfold/rpc';
import type { AdamRange, DeltasRange, ProductRange } from './update-module.js';

/** A thread's memory: the updater's, with a block of its own. Addresses in bytes. */
export interface ThreadMemory {
  memory: WebAssembly.Memory;
  block: number;
  blockBytes: number;
}

/**
 * Apply Adam to a range; make a range's deltas; add a range of a gradient in shared memory to the sum at the address `sum`, block by block;
 * add some rows of a product; round a range to bfloat16; sum a range’s squares; copy bytes to another
 * shared memory. With `first` the replica sets the sum; the others add to it.
 */
export type UpdateTask =
  | { type: 'adam'; range: AdamRange }
  | { type: 'deltas'; range: DeltasRange }
  | { type: 'product'; range: ProductRange; first: boolean; isRounded: boolean }
  | { type: 'round'; source: number; target: number; count: number }
  | { type: 'copy'; source: number; byteLength: number; target: SharedArrayBuffer; at: number }
  | { type: 'squares'; source: number; count: number }
  | {
      type: 'reduce';
      descriptor: number;
      stamp: Stamp;
      /** First byte in the wire vector. */
      begin: number;
      encoding: 'f32' | 'bf16';
      count: number;
      sum: number;
      /** How many of them are rounded to bfloat16 in the sum. */
      rounded: number;
      first: boolean;
    };

/** How many elements were added before the failure, if there was one. */
export interface ReducedRange {
  added: number;
  failure?: { code: ErrorCode; reason: string };
}

export interface UpdateThreads {
  run(thread: number, task: Exclude<UpdateTask, { type: 'adam' | 'deltas' | 'reduce' | 'squares' }>): Promise<void>;
  /** Resolves with whether all results are finite. */
  adam(thread: number, range: AdamRange): Promise<boolean>;
  /** Resolves with whether all differences are finite. */
  deltas(thread: number, range: DeltasRange): Promise<boolean>;
  sumOfSquares(thread: number, range: { source: number; count: number }): Promise<number>;
  reduce(thread: number, range: Omit<UpdateTask & { type: 'reduce' }, 'type'>): Promise<ReducedRange>;
  close(): Promise<void>;
}

/** One thread for each memory. Tasks of one thread are done one after the other. */
export function startUpdateThreads(memories: readonly ThreadMemory[]): UpdateThreads {
  const threads = memories.map((workerData) => {
    const worker = new Worker(new URL('../../dist/updates/update-thread.js', import.meta.url), { workerData });
    const waiting: { resolve: (answer: unknown) => void; reject: (error: Error) => void }[] = [];
    worker.on('message', (answer) => waiting.shift()?.resolve(answer));
    let died: Error | undefined;
    const die = (error: Error) => {
      died ??= error;
      for (const { reject } of waiting.splice(0)) reject(died);
    };
    worker.on('error', die);
    worker.on('exit', (code) => die(new Error(`a thread of the coordinator’s arithmetic ended with code ${code}`)));
    const run = (task: UpdateTask) =>
      new Promise<unknown>((resolve, reject) => {
        if (died) return reject(died);
        waiting.push({ resolve, reject });
        worker.postMessage(task);
      });
    return { worker, run };
  });
  return {
    async run(thread, task) {
      await threads[thread].run(task);
    },
    adam: (thread, range) => threads[thread].run({ type: 'adam', range }) as Promise<boolean>,
    deltas: (thread, range) => threads[thread].run({ type: 'deltas', range }) as Promise<boolean>,
    sumOfSquares: (thread, range) => threads[thread].run({ type: 'squares', ...range }) as Promise<number>,
    reduce: (thread, range) => threads[thread].run({ type: 'reduce', ...range }) as Promise<ReducedRange>,
    async close() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}
