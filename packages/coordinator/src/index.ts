export * from './checkpoint.js';
export { runCoordinator, runStore, type CoordinatorOptions } from './coordinator.js';
export type { Evaluation, History, HistoryRow } from './history.js';
export { totalIterations } from './schedule.js';
export { newestTerm, type Term } from './term.js';
