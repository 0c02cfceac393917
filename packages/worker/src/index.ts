export { type Compute, startComputeThread } from './compute/compute.js';
export { createWorkerExchange } from './exchange/exchange.js';
export { sharedVector } from './exchange/parameters.js';
export { createBatchQueue, type BatchQueue, type BatchWaits } from './leases/batches.js';
export { lookAhead, type LookOptions } from './session/look-ahead.js';
export { createServing } from './session/serving.js';
export { runWorker, type WorkerOptions } from './worker.js';
