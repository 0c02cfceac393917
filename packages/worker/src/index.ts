/*
 * The process that computes gradients and evaluations.
 *
 * - worker.ts    its life: find a coordinator, serve it, find the next
 * - session/     one coordinator's worth: registration, heartbeats, farewell
 * - leases/      leases, one after another, and the batches that they need
 * - compute/     a half's gradients, in a thread of their own
 * - exchange/    parameters in, gradients out
 * - evaluation/  validation pictures upscaled and measured
 */

export { type Compute, startComputeThread } from './compute/compute.js';
export { createWorkerExchange } from './exchange/exchange.js';
export { sharedVector } from './exchange/parameters.js';
export { createBatchQueue, type BatchQueue, type BatchWaits } from './leases/batches.js';
export { createServing } from './session/serving.js';
export { runWorker, type WorkerOptions } from './worker.js';
