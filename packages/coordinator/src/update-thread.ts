import { parentPort, workerData } from 'node:worker_threads';
import { instantiateUpdateModule, type AdamArguments } from './update-module.js';

/** A thread of the updater: applies Adam to the ranges that it is told, one at a time. */
const module = instantiateUpdateModule(workerData as WebAssembly.Memory);
parentPort?.on('message', (args: AdamArguments) => {
  module.adam(...args);
  parentPort?.postMessage('done');
});
