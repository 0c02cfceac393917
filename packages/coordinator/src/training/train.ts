import {
  FourfoldError,
  reportWaiting,
  type ErrorCode,
  type Logger,
  type RunConfig,
  isCheckpointDue,
  isEvaluated,
  nextHalf,
  type Half,
} from '@fourfold/common';
import { reasonOf } from '@fourfold/rpc';
import { meanLosses } from '@fourfold/store';
import type { Exchange } from '../exchange/exchange.js';
import type { Failures, Told } from './failures.js';
import type { LeaseBoard } from '../leases/lease-board.js';
import type { Master } from '../updates/master.js';
import type { Progress } from './progress.js';
import { pullGradient } from '../updates/reduction.js';
import { createReplicaOrder, type ReplicaOrder } from '../updates/replica-order.js';
import { evaluate, lostEvaluation, type OlderGenerator } from './run-evaluation.js';
import type { Answer, Work } from '../serve/service.js';
import { createUpdateClock, type UpdateClock, type UpdateSeconds } from '../updates/update-clock.js';
import type { Updater } from '../updates/types.js';

/** What makes a gradient bad, and what to do about it. */
const hints: Partial<Record<ErrorCode, string>> = {
  invalid: 'lower the learning rate, or check the pictures of that iteration',
  mismatch: 'start all workers from one release with one config',
};
/** Gradients in reduction at once: the next is in transit while one is added. */
const gradientsAtOnce = 2;
const replicaPriority = 0;

/** A finished update. */
export interface FinishedUpdate {
  half: Half;
  losses: Record<string, number>;
  seconds: UpdateSeconds;
}

/** Everything that the training loop uses. */
export interface Training {
  config: RunConfig;
  master: Master;
  board: LeaseBoard<Work, Answer>;
  failures: Pick<Failures, 'failed' | 'done' | 'gotOn'>;
  exchange: Pick<Exchange, 'publish'>;
  progress: Progress;
  log: Logger;
  /** Begin a checkpoint of the state as it is; resolves when training may go on. */
  checkpoint(): Promise<void>;
  /** The generator of an earlier iteration, if a checkpoint has it. */
  olderGenerator(iteration: number): Promise<Float32Array | undefined>;
  /** Show `state` in the status while `act` runs. */
  inState<T>(state: string, act: () => Promise<T>): Promise<T>;
  onUpdate?: (update: FinishedUpdate) => void;
}

/** The same, with a clock that times the updates' arithmetic and transfers. */
interface TimedTraining extends Training {
  clock: UpdateClock;
  updater: Updater;
}

/**
 * Run the schedule from the master's position to its end: half by half, the replicas' gradients reduced in replica
 * order, then one update. Rejects with the signal's reason between two updates when `signal` is aborted.
 */
export async function train(training: Training, signal: AbortSignal): Promise<void> {
  const { board, config, master, progress, log, onUpdate } = training;
  const clock = createUpdateClock();
  const timed: TimedTraining = { ...training, clock, updater: clock.reductions(master.updater) };
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
      await training.checkpoint();
    }
  }
  for (let half; (half = nextHalf(config.phases, master.versions()));) {
    clock.begin();
    const losses = await reduceReplicas(timed, half, signal);
    await clock.during('applying', () => master.update(half.network, half.position.learningRate));
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
    if (isCheckpointDue(config, done)) await training.checkpoint();
  }
}

async function reduceReplicas(
  training: TimedTraining,
  half: Half,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const { board, clock, exchange, master, config, log } = training;
  const { position, network } = half;
  await clock.during('transferring', () => exchange.publish());
  const versions = master.versions();
  const replicas = Array.from({ length: config.data.replicas }, (_, replica) => replica);
  const keyOf = (replica: number) => `${network} ${position.iteration}.${replica}`;
  for (const replica of replicas) {
    const work: Work = {
      replica: {
        iteration: position.iteration,
        replica,
        network: network === 'generator' ? 'GENERATOR' : 'DISCRIMINATOR',
        phase: position.phase,
        generatorVersion: versions.generator,
        discriminatorVersion: versions.discriminator,
      },
    };
    const kind = `${network} of phase ${position.phase}`;
    const about = { iteration: position.iteration, replica, network };
    board.add({ key: keyOf(replica), priority: replicaPriority, kind, subject: 'gradients', about, work }, replica);
  }
  board.replan();
  // A replica that fails for good, or an early stop, also ends the others' waits.
  const halt = new AbortController();
  const order = createReplicaOrder();
  const stop = (reason: Error) => {
    halt.abort(reason);
    order.stop(reason);
  };
  const stopEarly = () => stop(signal.reason as Error);
  signal.addEventListener('abort', stopEarly);
  if (signal.aborted) stopEarly();
  const reductions = replicas.map(async (replica) => {
    try {
      return await reduceReplica(training, half, { key: keyOf(replica), replica }, order, halt.signal);
    } catch (error) {
      stop(error as Error);
      throw error;
    }
  });
  const results = await reportWaiting(Promise.allSettled(reductions), (waitedMs) => {
    const { iteration } = position;
    log.info({ event: 'waiting', iteration, network, waitedMs, for: board.describeWaiting() }, 'waiting for gradients');
  });
  signal.removeEventListener('abort', stopEarly);
  if (results.some(({ status }) => status === 'rejected')) {
    board.clear();
    throw halt.signal.reason;
  }
  return meanLosses(await Promise.all(reductions));
}

/**
 * Add one replica's gradient to the sum, from any worker that has it, until the sum has all of it. Begins while the
 * previous replica is being added.
 */
async function reduceReplica(
  { board, failures, clock, master, updater, config, log }: TimedTraining,
  { network, position: { iteration } }: Half,
  { key, replica }: { key: string; replica: number },
  order: ReplicaOrder,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const state = master.state(network);
  await order.reached(replica - gradientsAtOnce, state.wires.gradients.byteLength);
  for (;;) {
    const { worker, result, token, signal: lost } = await board.nextOffer(key, signal);
    const place = { task: key, iteration, replica, network, worker };
    log.debug({ event: 'gradient', ...place }, 'gradient');
    try {
      const { gradient: source, losses } = result;
      if (!source) throw new FourfoldError('mismatch', 'the answer is not a gradient');
      // A pull is short: an early stop waits for it.
      const layout = master.layout(network);
      const pull = {
        source: clock.transfers(source),
        layout,
        replica,
        begin: order.of(replica),
        silenceMs: config.timing.silenceMs,
        signal: lost,
      };
      await pullGradient(pull, updater, state, order);
      board.finish(key, replica);
      failures.done(key, worker);
      return losses;
    } catch (error) {
      signal.throwIfAborted();
      // Not a failure of the pull but a fault of this process: another worker's gradient would fare no better.
      if (!(error instanceof FourfoldError)) throw error;
      const told = whatFailed(error, key, worker);
      const { code, reason } = told;
      const inARow = failures.failed(worker, token, told);
      if (code === 'bad-result') log.warn({ event: 'bad-gradient', ...place, reason, inARow }, 'bad gradient refused');
      signal.throwIfAborted();
      const begin = order.of(replica);
      log.info({ event: 'pull-failed', ...place, reason, begin }, 'a gradient will be pulled again');
    }
  }
}

/** A bad gradient is a useless answer; a failure in transit may be transient. */
function whatFailed(error: FourfoldError, key: string, worker: number): Told {
  const reason = reasonOf(error);
  const hint = hints[error.code];
  if (hint === undefined) return { code: error.code, reason };
  return {
    code: 'bad-result',
    reason,
    error: (times) =>
      new FourfoldError('invalid', `${key}: ${times} bad gradients in a row, the last from worker ${worker}`, {
        hint,
        cause: error,
      }),
  };
}
