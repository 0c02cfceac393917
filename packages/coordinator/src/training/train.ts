import { reportWaiting, isCheckpointDue, isCheckpointExact, isEvaluated, nextHalf, type Half } from '@fourfold/common';
import type { Progress } from './progress.js';
import { reduceReplicas, type ReductionParts } from './reduce-replicas.js';
import { evaluate, lostEvaluation, type OlderGenerator } from './run-evaluation.js';
import { sumAlongChain } from './sum-chain.js';
import { createUpdateClock, type UpdateSeconds } from '../updates/update-clock.js';

/** A finished update. */
export interface FinishedUpdate {
  half: Half;
  losses: Record<string, number>;
  seconds: UpdateSeconds;
}

/** Everything that the training loop uses. */
export interface Training extends Omit<ReductionParts, 'clock' | 'updater' | 'sumAlongChain'> {
  progress: Progress;
  /**
   * Begin a checkpoint of the state as it is; resolves when training may continue. With `mayPostpone`, resolves with
   * false at once while the one before is being written.
   */
  checkpoint(mayPostpone: boolean): Promise<boolean>;
  /** The generator of an earlier iteration, if a checkpoint has it. */
  olderGenerator(iteration: number): Promise<Float32Array | undefined>;
  /** Show `state` in the status while `act` runs. */
  inState<T>(state: string, act: () => Promise<T>): Promise<T>;
  onUpdate?: (update: FinishedUpdate) => void;
}

/**
 * Run the schedule from the master's position to its end: half by half, the replicas' gradients reduced in replica
 * order, then one update. Rejects with the signal's reason between two updates when `signal` is aborted.
 */
export async function train(training: Training, signal: AbortSignal): Promise<void> {
  const { board, config, master, progress, log, onUpdate } = training;
  const clock = createUpdateClock();
  const timed = { ...training, clock, updater: clock.reductions(master.updater), sumAlongChain };
  let evaluation: Promise<void> = Promise.resolve();
  const beginEvaluation = (older?: OlderGenerator) => {
    evaluation = evaluate(training, signal, older);
    // Awaited later; until then its failure must not count as unhandled.
    evaluation.catch(() => undefined);
  };
  const evaluated = () =>
    reportWaiting(evaluation, (waitedMs) => {
      log.info({ event: 'waiting', waitedMs, for: board.describeWaiting() }, 'waiting for an evaluation');
    });
  const lost = lostEvaluation(config, master, progress);
  if (lost !== undefined) {
    const isOlder = lost < master.versions().generator;
    const vector = isOlder ? await training.olderGenerator(lost) : undefined;
    if (vector || !isOlder) beginEvaluation(vector && { iteration: lost, vector });
    // It was the last one.
    if (!nextHalf(config.phases, master.versions())) {
      await training.inState('evaluating', evaluated);
      await training.checkpoint(false);
    }
  }
  let isPostponed = false;
  for (let half; (half = nextHalf(config.phases, master.versions()));) {
    clock.begin();
    const losses = await reduceReplicas(timed, half, signal);
    await clock.during('applying', () => master.update(half.network, half.learningRate));
    progress.add(half, losses);
    onUpdate?.({ half, losses, seconds: clock.end() });
    const { iteration } = half.position;
    log.debug({ event: 'update', network: half.network, iteration, losses }, 'update');
    if (half.network === 'discriminator') continue;

    const done = iteration + 1;
    if (isEvaluated(config, done)) {
      await evaluated();
      beginEvaluation();
    }
    const last = !nextHalf(config.phases, master.versions());
    if (last) await training.inState('evaluating', evaluated);
    if (isPostponed || isCheckpointDue(config, done)) {
      isPostponed = !(await training.checkpoint(!isCheckpointExact(config, done)));
    }
  }
}
