import { describeError, FourfoldError, type Logger, type RunConfig } from '@fourfold/common';
import { meanLosses, toEvaluation } from './history.js';
import type { LeaseBoard } from './lease-board.js';
import type { Master } from './master.js';
import type { Progress } from './progress.js';
import { pullGradient } from './reduction.js';
import { nextHalf, type Half } from './schedule.js';
import type { Answer, Work } from './service.js';

/** Gradients that were of no use, one after another, before the run stops: the fault is not one worker's, then. */
const maxUselessInARow = 5;
const replicaPriority = 0;
const evaluationPriority = 1;

/** Everything that the training loop works on. */
export interface Training {
  config: RunConfig;
  master: Master;
  board: LeaseBoard<Work, Answer>;
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
  const { board, master, config } = training;
  const { position, network } = half;
  const versions = master.versions();
  const replicas = Array.from({ length: config.data.replicas }, (_, replica) => replica);
  const keyOf = (replica: number) => `${network} ${position.iteration}.${replica}`;
  try {
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
    const losses: Record<string, number>[] = [];
    for (const replica of replicas) losses.push(await reduceReplica(training, half, keyOf(replica), replica, signal));
    return meanLosses(losses);
  } catch (error) {
    board.clear();
    throw error;
  }
}

/** Pull one replica's gradient onto the sum, from whichever worker has it, until all of it is there. */
async function reduceReplica(
  { board, master, config, log }: Training,
  { network }: Half,
  key: string,
  replica: number,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const state = master.state(network);
  let begin = 0;
  for (let useless = 0; ;) {
    const offer = await board.nextOffer(key, signal);
    try {
      await pullGradient(
        {
          client: offer.result.client,
          token: offer.token,
          begin,
          first: replica === 0,
          silenceMs: config.timing.silenceMs,
          // A pull is short: an early stop waits for it.
          signal: offer.signal,
        },
        master.updater,
        state,
        (elements) => {
          begin = elements;
        },
      );
      board.finish(key, replica);
      return offer.result.losses;
    } catch (error) {
      signal.throwIfAborted();
      const reason = describeError(error);
      board.reject(offer.token, reason);
      if (error instanceof FourfoldError && error.code === 'invalid' && ++useless >= maxUselessInARow) {
        throw new FourfoldError('invalid', `${key}: ${useless} gradients in a row were of no use`, {
          mend: 'lower the learning rate, or look at the pictures of that iteration',
          cause: error,
        });
      }
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
