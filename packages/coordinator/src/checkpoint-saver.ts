import { describeError, type Logger, type ObjectStore, type RunConfig } from '@fourfold/common';
import type { CheckpointFacts } from './checkpoint.js';
import type { History } from './history.js';
import type { Housekeeping } from './housekeeping.js';
import type { Master } from './master.js';
import { pruneCheckpoints, saveCheckpoint, type RunSnapshot } from './run-checkpoints.js';

/** What a checkpoint took. */
export interface SavedCheckpoint {
  checkpoint: string;
  sizeBytes: number;
  /** How long the copy held up the updates. */
  copySeconds: number;
  /** From the copy on until the checkpoint was there for others. */
  writeSeconds: number;
}

/** Writes checkpoints beside training. */
export interface CheckpointSaver {
  /**
   * Copy the state as it is, and make a checkpoint of the copy meanwhile; resolves when the state may change again. There is one
   * copy at most: where the checkpoint before is still being written, that is waited for. Nothing is done for an iteration
   * that has its checkpoint. Rejects when one could not be written.
   */
  save(): Promise<void>;
  /**
   * Resolves when the last checkpoint is there for others, and those that need not be kept are removed as far as they can be; rejects
   * when one could not be written.
   */
  settled(): Promise<void>;
}

export interface CheckpointSaverOptions {
  run: ObjectStore;
  /** What a checkpoint says besides the state. */
  facts: () => Omit<CheckpointFacts, keyof RunSnapshot | 'iteration' | 'finished' | 'best'> & { config: RunConfig };
  master: Pick<Master, 'versions' | 'files'>;
  history: () => History;
  /** Throws when this coordinator may write no more. */
  mayPublish: () => Promise<void>;
  /** Removes what need not be kept. */
  housekeeping: Housekeeping;
  log: Logger;
  onSaved: (saved: SavedCheckpoint) => void;
  /** A checkpoint could not be written: `save` and `settled` reject with the same error. */
  onFailed: (error: unknown) => void;
}

export function createCheckpointSaver(options: CheckpointSaverOptions): CheckpointSaver {
  const { run, facts, master, history, mayPublish, housekeeping, log, onSaved, onFailed } = options;
  /** The copy's files; their memory is used again. */
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
    // One after the other; the next checkpoint need not wait for it.
    pruned = pruned.then(() =>
      housekeeping.tend('checkpoints', async () => {
        // It may have been superseded while the manifest was written.
        await mayPublish();
        await pruneCheckpoints(run, given.term, given.config, history());
      }),
    );
  };

  return {
    async save() {
      const iteration = master.versions().generator;
      // One of this iteration is there, or on its way: writing over it would put it at risk for half an iteration at most.
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
