import { describeError, type Logger, type Versions } from '@fourfold/common';
import type { CheckpointSaver } from '../updates/checkpoint-saver.js';
import type { Master } from '../updates/master.js';

export interface LastCheckpointParts {
  saver: CheckpointSaver;
  master: Pick<Master, 'versions'>;
  /** What the run had done when this term began. */
  begun: Versions;
  /** The term or the store is lost: nothing written now would count. */
  isLost: boolean;
  log: Logger;
}

/**
 * At a run's early end, for any reason: finish the checkpoint that is being written, and write one of the state that
 * the last update committed, unless nothing was done. Returns why that failed, if it did; never rejects.
 */
export async function writeLastCheckpoint(parts: LastCheckpointParts): Promise<Error | undefined> {
  const { saver, master, begun, isLost, log } = parts;
  const now = master.versions();
  const hasMoved = now.generator !== begun.generator || now.discriminator !== begun.discriminator;
  try {
    if (hasMoved && !isLost) await saver.save();
    await saver.settled();
    return undefined;
  } catch (error) {
    const reason = describeError(error);
    log.error({ event: 'no-last-checkpoint', iteration: now.generator, reason }, 'no checkpoint of its final state');
    return error as Error;
  }
}
