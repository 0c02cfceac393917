/*
 * Objects, and what a run keeps among them.
 *
 * - objects/      a store: a folder, or S3 below objects/s3/
 * - outputs/      files and folders that commands write for people, and whose they are
 * - runs/         a run's place, record, terms and end
 * - checkpoints/  what a checkpoint holds, written, listed, verified, kept or removed
 */

export { checkpointInputs } from './checkpoints/checkpoint-input.js';
export { type ListedCheckpoint, evaluationOf, listStore } from './checkpoints/checkpoint-list.js';
export {
  holdsManifest,
  openCheckpoint,
  readGenerator,
  verifyNetworks,
  withCheckpoint,
} from './checkpoints/checkpoint-source.js';
export {
  type Checkpoint,
  type CheckpointFacts,
  type CheckpointManifest,
  type WholeCheckpoint,
  averageFile,
  viewFile,
  checkpointStore,
  listCheckpoints,
  newestWholeCheckpoint,
  readManifest,
  verifyCheckpoint,
  writeCheckpoint,
} from './checkpoints/checkpoint.js';
export { featureFolder, readFeatureFile, readLpipsFile } from './objects/feature-file.js';
export {
  type Evaluation,
  type History,
  type HistoryRow,
  emptyHistory,
  historySchema,
  meanLosses,
  toEvaluation,
} from './checkpoints/history.js';
export { type BestBy, bestEvaluation, iterationOf } from './checkpoints/retention.js';
export {
  type RunSnapshot,
  howToLengthen,
  pruneCheckpoints,
  saveCheckpoint,
  startingPoint,
} from './checkpoints/run-checkpoints.js';
export { readStartingDiscriminator, readStartingGenerator } from './checkpoints/start-from.js';
export { checkConditionalPuts } from './objects/conditional-puts.js';
export { storageError } from './objects/folder-store.js';
export { damagedError, getJson, getVerified, openStore, unlessLost } from './objects/object-store.js';
export { type ObjectStore } from './objects/types.js';
export { publicCheckpointsPolicy } from './objects/s3/policy.js';
export { tryStore } from './objects/store-trial.js';
export { type InputPlace, listInput } from './outputs/input-places.js';
export { type FolderMark, claimFolder } from './outputs/marked-folder.js';
export {
  type OutputFileRules,
  checkNotRead,
  checkOutputFile,
  writeOutputFile,
  writeWhole,
} from './outputs/output-file.js';
export {
  type OutputFolder,
  checkApart,
  openOutputFolder,
  readUnfinished,
  unfinishedKey,
} from './outputs/output-folder.js';
export { isUniquePartial, partialId, partialName } from './outputs/partial-name.js';
export { recordTermStart } from './runs/lineage.js';
export { endOfRun, isRunOver, markRunEnd } from './runs/run-end.js';
export { checkRunPlace, removeRun } from './runs/run-place.js';
export { readRunRecord, writeRunRecord } from './runs/run-record.js';
export { readStoredConfig } from './runs/stored-config.js';
export { type TermGuard, createTermGuard } from './runs/term-guard.js';
export { claimTerm, newestTerm, newestTermNumber, runStore } from './runs/term.js';
export { type ValidationView, validationFolder, validationIteration, validationKey } from './runs/validation-keys.js';
