export * from './checkpoint.js';
export { runCoordinator, type CoordinatorOptions } from './coordinator.js';
export type { Evaluation, History, HistoryRow } from './history.js';
export { totalIterations } from './schedule.js';
