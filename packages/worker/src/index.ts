export { createBatchQueue, type BatchQueue, type BatchWaits } from './batches.js';
export { startComputeThread, type Compute } from './compute.js';
export * from './evaluation.js';
export { createWorkerExchange } from './exchange.js';
export { lookAhead, type LookOptions } from './look-ahead.js';
export { sharedVector } from './parameters.js';
export { createServing } from './serving.js';
export { runWorker, type WorkerOptions } from './worker.js';
