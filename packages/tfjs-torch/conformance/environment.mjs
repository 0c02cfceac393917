import jasmineRequire from 'jasmine-core/lib/jasmine-core/jasmine.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';
import { registerTorch } from '../src/index.ts';

// TensorFlow.js's tests take jasmine's functions from the global object, and the backends when they are loaded: this
// module must come before them.

const jasmine = jasmineRequire.core(jasmineRequire);
jasmine.DEFAULT_TIMEOUT_INTERVAL = 20_000;

/** Jasmine's environment, in which the tests register themselves. */
export const jasmineEnv = jasmine.getEnv();

Object.assign(globalThis, jasmineRequire.interface(jasmine, jasmineEnv));

registerTorch({ device: process.env.CONFORMANCE_DEVICE });
setTestEnvs([{ name: 'torch', backendName: 'torch', isDataSync: true }]);
