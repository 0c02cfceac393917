import { describeError, type Logger, type RunConfig } from '@fourfold/common';
import {
  pruneCheckpoints,
  saveCheckpoint,
  type ObjectStore,
  type RunSnapshot,
  type CheckpointFacts,
  type History,
} from '@fourfold/store';
import type { Housekeeping } from '../life/housekeeping.js';
import type { Master } from './master.js';
import type { SnapshotMemory } from './snapshot.js';

/** A checkpoint that was written, and what it took. */
export interface SavedCheckpoint {
  checkpoint: string;
  sizeBytes: number;
  /** How long copying the state took. */
  copySeconds: number;
  /** From the copy until the checkpoint was published. */
  writeSeconds: number;
}

/** Writes checkpoints while training continues. */
export interface CheckpointSaver {
  /**
   * Begin a checkpoint of the state as it is: it is copied and written beside the updates that follow. There is at most
   * one copy. While the checkpoint before is being written, this waits for it; or, with `mayPostpone`, resolves with
   * false. Does nothing for an iteration that has its checkpoint. Rejects if a checkpoint could not be written.
   */
  save(mayPostpone?: boolean): Promise<boolean>;
  /**
   * Resolves when the last checkpoint is published and superfluous ones are removed where possible. Rejects if a
   * checkpoint could not be written.
   */
  settled(): Promise<void>;
}

export interface CheckpointSaverOptions {
  run: ObjectStore;
  /** What a checkpoint says besides the state. */
  facts: () => Omit<CheckpointFacts, keyof RunSnapshot | 'iteration' | 'finished' | 'best'> & { config: RunConfig };
  master: Pick<Master, 'versions' | 'snapshot'>;
  history: () => History;
  /** Throws if this coordinator may no longer write. */
  mayPublish: () => Promise<void>;
  /** Removes superfluous checkpoints. */
  housekeeping: Housekeeping;
  log: Logger;
  onSaved: (saved: SavedCheckpoint) => void;
  /** A checkpoint could not be written: `save` and `settled` reject with the same error. */
  onFailed: (error: unknown) => void;
}

// eslint-disable-next-line max-lines-per-function -- short functions that share the newest write
export function createCheckpointSaver(options: CheckpointSaverOptions): CheckpointSaver {
  const { run, facts, master, history, mayPublish, housekeeping, log, onSaved, onFailed } = options;
  const memory: SnapshotMemory = new Map();
  let lastIteration: number | undefined;
  /** The iteration whose checkpoint is being written. */
  let writing: number | undefined;
  /** The one for whose checkpoint another was late. */
  let lateFor: number | undefined;
  let written = Promise.resolve();
  let pruned = Promise.resolve();

  const tellLate = (iteration: number, writing: number, mayPostpone: boolean): void => {
    if (lateFor === writing) return;
    lateFor = writing;
    const reason = `the checkpoint of iteration ${writing} is still being written`;
    const what = mayPostpone ? 'a checkpoint is postponed' : 'updates wait';
    log.warn({ event: 'checkpoint-late', iteration, reason }, `${what}: ${reason}`);
  };

  const write = async (): Promise<void> => {
    const begunMs = performance.now();
    const given = facts();
    const { rows, evaluations } = history();
    const state = { versions: master.versions(), history: { rows: [...rows], evaluations: [...evaluations] } };
    const files = await master.snapshot(memory);
    const copiedMs = performance.now();
    const checkpoint = await saveCheckpoint(run, given, { ...state, files }, mayPublish);
    onSaved({
      checkpoint,
      sizeBytes: Object.values(files).reduce((sum, { byteLength }) => sum + byteLength, 0),
      copySeconds: (copiedMs - begunMs) / 1000,
      writeSeconds: (performance.now() - copiedMs) / 1000,
    });
    // One after the other; the next checkpoint need not wait for the pruning.
    pruned = pruned.then(() =>
      housekeeping.tend('checkpoints', async () => {
        // This coordinator may have been superseded while the manifest was written.
        await mayPublish();
        await pruneCheckpoints(run, given.term, given.config, history());
      }),
    );
  };

  return {
    async save(mayPostpone = false) {
      const iteration = master.versions().generator;
      // This iteration's checkpoint is written or being written: writing over it would put it at risk, to gain half an
      // iteration at most.
      if (iteration === lastIteration) return true;
      if (writing !== undefined) {
        tellLate(iteration, writing, mayPostpone);
        if (mayPostpone) return false;
      }
      await written;
      lastIteration = writing = iteration;
      log.debug({ event: 'checkpoint-begun', iteration }, 'checkpoint begun');
      written = write().finally(() => (writing = undefined));
      written.catch((error: unknown) => {
        log.error({ event: 'checkpoint-failed', iteration, reason: describeError(error) }, 'checkpoint failed');
        onFailed(error);
      });
      return true;
    },
    async settled() {
      await written;
      await pruned;
    },
  };
}
