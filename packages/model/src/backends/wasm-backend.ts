import tf = require('@tensorflow/tfjs-core');
import tfWasm = require('@tensorflow/tfjs-backend-wasm');
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

export const wasmVersion = tfWasm.version_wasm;

export const wasmInstructionSet = 'simd128';

/** Where Emscripten keeps the Web Workers of its thread pool. */
interface ThreadPool {
  runningWorkers: { unref(): void }[];
  unusedWorkers: { terminate(): Promise<number> }[];
}

/**
 * Start TF.js's wasm backend in this thread with `threads` threads, this one included. Returns how many it got: the backend
 * has its own limit. Its helper threads do not keep the process alive.
 */
export async function startWasm(threads: number): Promise<number> {
  // TF.js disables threads in Node, where its own way of starting them fails.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', threads > 1);
  if (threads === 1) {
    await tf.setBackend('wasm');
    return 1;
  }
  tfWasm.setThreadsCount(threads);
  await withThreadStart(threads, () => tf.setBackend('wasm'));
  const { wasm } = tf.backend() as BackendWasm;
  const { PThread: pool } = wasm as typeof wasm & { PThread: ThreadPool };
  for (const worker of pool.runningWorkers) worker.unref();
  // Emscripten always starts eight; each costs megabytes.
  await Promise.all(pool.unusedWorkers.splice(0).map((worker) => worker.terminate()));
  return tfWasm.getThreadsCount();
}

/**
 * While `start` runs, patch Node so that it can start threads: a script that worker_threads can load replaces the Blob URL it
 * creates, and the machine appears to have twice the cores, because it uses at most half of them.
 */
async function withThreadStart<T>(threads: number, start: () => Promise<T>): Promise<T> {
  const createObjectURL = URL.createObjectURL.bind(URL);
  const { cpus } = os;
  const core = cpus()[0];
  URL.createObjectURL = () => fileURLToPath(new URL('../../assets/wasm-thread.cjs', import.meta.url));
  os.cpus = () => Array.from({ length: 2 * threads }, () => core);
  try {
    return await start();
  } finally {
    Object.assign(URL, { createObjectURL });
    Object.assign(os, { cpus });
  }
}
