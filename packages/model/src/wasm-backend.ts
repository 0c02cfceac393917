import * as tf from '@tensorflow/tfjs-core';
import { getThreadsCount, setThreadsCount, version_wasm, type BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

export const wasmVersion = version_wasm;

export const wasmInstructionSet = 'simd128';

/** Where Emscripten keeps the Web Workers of its thread pool. */
interface ThreadPool {
  runningWorkers: { unref(): void }[];
  unusedWorkers: { terminate(): Promise<number> }[];
}

/**
 * Start TF.js's wasm backend in this thread with so many threads, this one included; how many it got (it has a limit of
 * its own). Its helpers do not keep the process alive.
 */
export async function startWasm(threads: number): Promise<number> {
  // TF.js turns threads off in Node, where its own way of starting them fails.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', threads > 1);
  if (threads === 1) {
    await tf.setBackend('wasm');
    return 1;
  }
  setThreadsCount(threads);
  await withThreadStart(threads, () => tf.setBackend('wasm'));
  const { wasm } = tf.backend() as BackendWasm;
  const { PThread: pool } = wasm as typeof wasm & { PThread: ThreadPool };
  for (const worker of pool.runningWorkers) worker.unref();
  // Emscripten starts eight, whatever is asked for; each costs megabytes.
  await Promise.all(pool.unusedWorkers.splice(0).map((worker) => worker.terminate()));
  return getThreadsCount();
}

/**
 * While `start` runs, give it what it needs for threads in Node: a script that worker_threads can load in place of the Blob
 * URL it makes for its own, and twice the cores, of which it takes half at most.
 */
async function withThreadStart<T>(threads: number, start: () => Promise<T>): Promise<T> {
  const createObjectURL = URL.createObjectURL.bind(URL);
  const { cpus } = os;
  const core = cpus()[0];
  URL.createObjectURL = () => fileURLToPath(new URL('../assets/wasm-thread.cjs', import.meta.url));
  os.cpus = () => Array.from({ length: 2 * threads }, () => core);
  try {
    return await start();
  } finally {
    Object.assign(URL, { createObjectURL });
    Object.assign(os, { cpus });
  }
}
