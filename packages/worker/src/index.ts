export * from './evaluation.js';
export { runWorker, type WorkerOptions } from './worker.js';
