import * as tf from '@tensorflow/tfjs-core';
import { setThreadsCount, version_wasm, type BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { fileURLToPath } from 'node:url';

export const wasmVersion = version_wasm;

export const wasmInstructionSet = 'simd128';

/** The pool of Web Workers that Emscripten makes at start, less than which threads beside the first cannot be had. */
const poolSize = 8;

/** Emscripten's thread pool inside the module. */
interface ThreadPool {
  unusedWorkers: { terminate(): void }[];
}

/** Start TF.js's wasm backend in this thread with so many threads; how many it got. */
export async function startWasm(threads: number): Promise<number> {
  const count = Math.min(threads, poolSize + 1);
  // TF.js turns wasm threads off in Node, where its thread pool's scripts, Blob URLs, cannot be loaded.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', count > 1);
  if (count === 1) {
    await tf.setBackend('wasm');
    return 1;
  }
  setThreadsCount(count);
  await withThreadScript(() => tf.setBackend('wasm'));
  const { wasm } = tf.backend() as BackendWasm;
  const { PThread } = wasm as typeof wasm & { PThread: ThreadPool };
  for (const worker of PThread.unusedWorkers.splice(0)) worker.terminate();
  return count;
}

/** Give the pool's threads a script that Node can load while `start` makes them. */
async function withThreadScript<T>(start: () => Promise<T>): Promise<T> {
  const createObjectUrl = URL.createObjectURL.bind(URL);
  URL.createObjectURL = () => fileURLToPath(new URL('../assets/wasm-thread.cjs', import.meta.url));
  try {
    return await start();
  } finally {
    URL.createObjectURL = createObjectUrl;
  }
}
