export { runCoordinator } from './coordinator.js';
export { type Exchange, createExchange } from './exchange/exchange.js';
export { openParameterFiles } from './exchange/parameter-files.js';
export { createLeaseBoard } from './leases/lease-board.js';
export { type Answer, type Work, createCoordinatorService } from './serve/service.js';
export { createFailures } from './training/failures.js';
export { createProgress } from './training/progress.js';
export { train } from './training/train.js';
export { type Master, createMaster } from './updates/master.js';
