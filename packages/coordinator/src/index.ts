export * from './checkpoint.js';
export { runCoordinator, type CoordinatorOptions } from './coordinator.js';
export type { Evaluation, History, HistoryRow } from './history.js';
export { createLeaseBoard } from './lease-board.js';
export { createMaster, type Master } from './master.js';
export { createProgress } from './progress.js';
export { totalIterations, type Network } from './schedule.js';
export { createCoordinatorService, type Answer, type Work } from './service.js';
export { train } from './train.js';
