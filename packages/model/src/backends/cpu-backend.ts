import tf = require('@tensorflow/tfjs-core');
import { createRequire } from 'node:module';

const requireHere = createRequire(import.meta.url);

/** The version of TensorFlow.js's backend in plain JavaScript. Does not load it. */
export const cpuVersion = (): string =>
  (requireHere('@tensorflow/tfjs-backend-cpu/package.json') as { version: string }).version;

/** Start it in this thread. */
export async function startCpu(): Promise<void> {
  requireHere('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
}
