import { describeError, FourfoldError, type Logger, type RunConfig } from '@fourfold/common';
import { meanLosses, toEvaluation } from './history.js';
import type { Exchange } from './exchange.js';
import type { LeaseBoard } from './lease-board.js';
import type { Master } from './master.js';
import type { Progress } from './progress.js';
import { pullGradient } from './reduction.js';
import { createReplicaOrder, type ReplicaOrder } from './replica-order.js';
import { nextHalf, type Half } from './schedule.js';
import type { Answer, Work } from './service.js';

/** Gradients that were of no use, one after another, before the run stops: the fault is not one worker's, then. */
const maxUselessInARow = 5;
/** Gradients that are taken at once: the next one is on its way while one is added. */
const gradientsAtOnce = 2;
const replicaPriority = 0;
const evaluationPriority = 1;

/** Everything that the training loop works on. */
export interface Training {
  config: RunConfig;
  master: Master;
  board: LeaseBoard<Work, Answer>;
  exchange: Pick<Exchange, 'publish'>;
  progress: Progress;
  log: Logger;
  /** Write a checkpoint of the state as it is. */
  checkpoint(): Promise<void>;
  /** Show `state` to whoever watches while `act` runs. */
  inState<T>(state: string, act: () => Promise<T>): Promise<T>;
}

/**
 * The schedule, from where the master stands to its end: half by half, each replica's gradient reduced in replica order,
 * then one update. Rejects with the signal's reason between two updates when `signal` is aborted.
 */
export async function train(training: Training, signal: AbortSignal): Promise<void> {
  const { config, master, progress, log } = training;
  let evaluation: Promise<void> = Promise.resolve();
  for (let half; (half = nextHalf(config.phases, master.versions()));) {
    const losses = await reduceReplicas(training, half, signal);
    await master.update(half.network, half.position.learningRate);
    progress.add(half, losses);
    const { iteration, endsPhase } = half.position;
    log.debug({ event: 'update', network: half.network, iteration, losses }, 'update');
    if (half.network === 'discriminator') continue;

    const done = iteration + 1;
    if (config.validation && (done % config.validation.every === 0 || endsPhase)) {
      await evaluation;
      evaluation = evaluate(training, signal);
      // It is awaited later; until then its failure must not count as unhandled.
      evaluation.catch(() => undefined);
    }
    const last = !nextHalf(config.phases, master.versions());
    if (last) await training.inState('evaluating', () => evaluation);
    if (done % config.checkpoints.every === 0 || endsPhase) await training.checkpoint();
  }
}

async function reduceReplicas(training: Training, half: Half, signal: AbortSignal): Promise<Record<string, number>> {
  const { board, exchange, master, config } = training;
  const { position, network } = half;
  await exchange.publish();
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
    board.add({ key: keyOf(replica), priority: replicaPriority, work }, replica);
  }
  board.replan();
  // One replica that fails for good, or an early stop, ends the others' waits, too.
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
  const results = await Promise.allSettled(reductions);
  signal.removeEventListener('abort', stopEarly);
  if (results.some(({ status }) => status === 'rejected')) {
    board.clear();
    throw halt.signal.reason;
  }
  return meanLosses(await Promise.all(reductions));
}

/**
 * Bring one replica's gradient into the sum, from whichever worker has it, until all of it is there. It begins while the
 * replica before is under way.
 */
async function reduceReplica(
  { board, master, config, log }: Training,
  { network }: Half,
  { key, replica }: { key: string; replica: number },
  order: ReplicaOrder,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const state = master.state(network);
  await order.reached(replica - gradientsAtOnce, state.vector.length);
  for (let useless = 0; ;) {
    const { result, token, signal: lost } = await board.nextOffer(key, signal);
    try {
      const { gradient: source, losses } = result;
      if (!source) throw new FourfoldError('mismatch', 'the answer is no gradient');
      // A pull is short: an early stop waits for it.
      const pull = { source, replica, begin: order.of(replica), silenceMs: config.timing.silenceMs, signal: lost };
      await pullGradient(pull, master.updater, state, order);
      board.finish(key, replica);
      return losses;
    } catch (error) {
      signal.throwIfAborted();
      const reason = describeError(error);
      board.reject(token, reason);
      if (error instanceof FourfoldError && error.code === 'invalid' && ++useless >= maxUselessInARow) {
        throw new FourfoldError('invalid', `${key}: ${useless} gradients in a row were of no use`, {
          mend: 'lower the learning rate, or look at the pictures of that iteration',
          cause: error,
        });
      }
      const begin = order.of(replica);
      log.info({ event: 'pull-failed', task: key, reason, begin }, 'a gradient will be pulled again');
    }
  }
}

/** Have a worker measure the generator as it is now, beside training. */
async function evaluate({ board, master, progress, log }: Training, signal: AbortSignal): Promise<void> {
  master.retainGenerator();
  const iteration = master.versions().generator;
  const key = `evaluation ${iteration}`;
  board.add({ key, priority: evaluationPriority, work: { evaluation: { iteration, generatorVersion: iteration } } });
  board.replan();
  const { result } = await board.nextOffer(key, signal);
  board.finish(key);
  const evaluation = toEvaluation(iteration, result.scores);
  progress.addEvaluation(evaluation);
  log.info({ event: 'evaluation', iteration, psnr: evaluation.psnr, ssim: evaluation.ssim }, 'evaluation');
}
