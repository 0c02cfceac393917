/*
 * The process that holds the master weights and the Adam state.
 *
 * - coordinator.ts  its life, from claim to end
 * - life/           the steps of that life: examine the run, take office, open ports, keep house, end
 * - training/       iterations and evaluations, failures and their counts
 * - leases/         plan.ts decides who computes what until when, who helps a straggler, who is dropped for silence or lateness
 * - updates/        gradients reduced, Adam, the master's state and its checkpoints
 * - exchange/       parameters out, gradients in
 * - serve/          the gRPC service: admission, sessions
 * - status/         the status page's data
 * - metrics/        Prometheus
 * - reports/        TensorBoard's event files (event-file.ts), MLflow
 */

export { runCoordinator } from './coordinator.js';
export { type Exchange, createExchange } from './exchange/exchange.js';
export { openParameterFiles } from './exchange/parameter-files.js';
export { createLeaseBoard } from './leases/lease-board.js';
export { createCoordinatorService } from './serve/service.js';
export type { Answer, Work } from './serve/work.js';
export { type StatusSource, workerStatus } from './status/status.js';
export { createStatusRoutes } from './status/status-routes.js';
export { createFailures } from './training/failures.js';
export { createProgress } from './training/progress.js';
export { train } from './training/train.js';
export { addGradient } from './updates/add-gradient.js';
export { type Master, createMaster } from './updates/master.js';
