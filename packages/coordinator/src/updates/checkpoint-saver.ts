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

/** A checkpoint that was written, and what it took. */
export interface SavedCheckpoint {
  checkpoint: string;
  sizeBytes: number;
  /** How long the copy held up the updates. */
  copySeconds: number;
  /** From the copy until the checkpoint was published. */
  writeSeconds: number;
}

/** Writes checkpoints while training continues. */
export interface CheckpointSaver {
  /**
   * Copy the state and write a checkpoint of the copy; resolves when the state may change again. There is at most one
   * copy: if the previous checkpoint is still being written, this waits for it. Does nothing for an iteration that has
   * its checkpoint. Rejects if a checkpoint could not be written.
   */
  save(): Promise<void>;
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
  master: Pick<Master, 'versions' | 'files'>;
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
  /** The copy's files; their memory is reused. */
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  let lastIteration: number | undefined;
  let isWriting = false;
  let written = Promise.resolve();
  let pruned = Promise.resolve();

  const takeSnapshot = (): RunSnapshot => {
    for (const [file, encode] of Object.entries(master.files())) files[file] = encode(files[file]);
    const { rows, evaluations } = history();
    return { versions: master.versions(), history: { rows: [...rows], evaluations: [...evaluations] }, files };
  };

  const write = async (snapshot: RunSnapshot, begunMs: number): Promise<void> => {
    const copiedMs = performance.now();
    const given = facts();
    const checkpoint = await saveCheckpoint(run, given, snapshot, mayPublish);
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
    async save() {
      const iteration = master.versions().generator;
      // This iteration's checkpoint is written or being written: writing over it would put it at risk, to gain half an
      // iteration at most.
      if (iteration === lastIteration) return;
      if (isWriting) {
        const reason = `the checkpoint of iteration ${lastIteration} is still being written`;
        log.warn({ event: 'checkpoint-late', iteration, reason }, `updates wait: ${reason}`);
      }
      await written;
      const begunMs = performance.now();
      lastIteration = iteration;
      isWriting = true;
      log.debug({ event: 'checkpoint-begun', iteration }, 'checkpoint begun');
      written = write(takeSnapshot(), begunMs).finally(() => (isWriting = false));
      written.catch((error: unknown) => {
        log.error({ event: 'checkpoint-failed', iteration, reason: describeError(error) }, 'checkpoint failed');
        onFailed(error);
      });
    },
    async settled() {
      await written;
      await pruned;
    },
  };
}
