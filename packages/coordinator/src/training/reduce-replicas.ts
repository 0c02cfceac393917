import { FourfoldError, reportWaiting, type Half, type Logger, type Network, type RunConfig } from '@fourfold/common';
import { wireNetworks } from '@fourfold/rpc';
import { meanLosses } from '@fourfold/store';
import type { Exchange } from '../exchange/exchange.js';
import type { LeaseBoard } from '../leases/lease-board.js';
import type { Answer, Work } from '../serve/work.js';
import type { Master } from '../updates/master.js';
import { pullGradient } from '../updates/reduction.js';
import { createReplicaOrder, type ReplicaOrder } from '../updates/replica-order.js';
import type { Updater } from '../updates/types.js';
import type { UpdateClock } from '../updates/update-clock.js';
import { updateAlong } from './early-update.js';
import type { Failures } from './failures.js';
import type { SumChain } from './sum-chain.js';
import { nextState, type GradientOffer, type ReductionEvent, type ReductionState } from './reduction-state.js';

/** Gradients in reduction at once: the next is in transit while one is added. */
const gradientsAtOnce = 2;
const replicaPriority = 0;

/** What a reduction uses. */
export interface ReductionParts {
  config: RunConfig;
  master: Master;
  board: LeaseBoard<Work, Answer>;
  failures: Pick<Failures, 'failed' | 'done' | 'gotOn'>;
  exchange: Pick<Exchange, 'publish' | 'publishEarly' | 'sum' | 'bar' | 'route'>;
  log: Logger;
  /** Times the arithmetic and the transfers. */
  clock: UpdateClock;
  updater: Updater;
  sumAlongChain: SumChain;
}

/**
 * Reduce the gradients of a half: each replica's is asked of the workers and added to the network's sum, in the order of
 * the replicas. The half's update begins with the first elements that have them all. Returns the mean losses. Rejects with the signal's reason when `signal` is aborted, and with the error of
 * a replica that cannot be reduced.
 */
export async function reduceReplicas(
  training: ReductionParts,
  half: Half,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const { board, clock, exchange, config, log } = training;
  const { position, network } = half;
  await clock.during('transferring', () => exchange.publish());
  const isChain = exchange.route() === 'chain';
  const replicas = Array.from({ length: config.data.replicas }, (_, replica) => replica);
  const keyOf = (replica: number) => `${network} ${position.iteration}.${replica}`;
  addTasks(training, half, keyOf, isChain);
  // A replica that fails for good, or an early stop, also ends the others' waits.
  const halt = new AbortController();
  const order = createReplicaOrder();
  const update = updateAlong({ order, replicas: replicas.length }, training.master, half);
  const stop = (reason: Error) => {
    halt.abort(reason);
    order.stop(reason);
  };
  const stopEarly = () => stop(signal.reason as Error);
  signal.addEventListener('abort', stopEarly);
  if (signal.aborted) stopEarly();
  const summed = isChain ? training.sumAlongChain(training, half, replicas.map(keyOf), halt.signal) : [];
  const reductions = replicas.map(async (replica) => {
    try {
      const offer = (await summed).at(replica);
      if (offer) return countSummed(training, network, { key: keyOf(replica), replica }, order, offer);
      return await reduceReplica(training, half, { key: keyOf(replica), replica }, update.order, halt.signal);
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
    await update.drop();
    throw halt.signal.reason;
  }
  return meanLosses(await Promise.all(reductions));
}

/** Ask the workers for the gradient of each replica. */
function addTasks(
  { board, config, master }: Pick<ReductionParts, 'board' | 'config' | 'master'>,
  { position: { iteration, phase }, network }: Half,
  keyOf: (replica: number) => string,
  isChain: boolean,
): void {
  const versions = master.versions();
  const { replicas } = config.data;
  for (let replica = 0; replica < replicas; replica++) {
    const about = { iteration, replica, network };
    const work: Work = {
      replica: {
        ...about,
        phase,
        network: wireNetworks[network],
        generatorVersion: versions.generator,
        discriminatorVersion: versions.discriminator,
      },
    };
    const kind = `${network} of phase ${phase}`;
    const task = { key: keyOf(replica), priority: replicaPriority, kind, subject: 'gradients', about, work };
    // Along a chain each worker gets neighbouring replicas.
    board.add({ ...task, place: isChain ? replica / replicas : undefined }, replica);
  }
  board.replan();
}

/** A replica's gradient is in the sum that came along the chain. */
function countSummed(
  { board, failures, master }: ReductionParts,
  network: Network,
  { key, replica }: { key: string; replica: number },
  order: ReplicaOrder,
  { worker, result }: GradientOffer,
): Record<string, number> {
  order.advance(replica, master.state(network).wires.gradients.byteLength);
  board.finish(key, replica);
  failures.done(key, worker);
  return result.losses;
}

/**
 * Add one replica's gradient to the sum, from any worker that has it, until the sum has all of it. Begins while the
 * previous replica is being added.
 */
async function reduceReplica(
  parts: ReductionParts,
  half: Half,
  task: { key: string; replica: number },
  order: ReplicaOrder,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const { board, master } = parts;
  const { key, replica } = task;
  const steps = replicaSteps(parts, half, task, order, signal);
  /** Resolves with what ends the state. */
  const carryOut = async (state: Exclude<ReductionState, { name: 'added' | 'failed' }>): Promise<ReductionEvent> => {
    switch (state.name) {
      case 'queued':
        await order.reached(replica - gradientsAtOnce, master.state(half.network).wires.gradients.byteLength);
        return { type: 'turn' };
      case 'wanted':
        return { type: 'offered', offer: await board.nextOffer(key, signal) };
      case 'adding':
        await steps.add(state.offer);
        return { type: 'complete' };
      case 'broken':
        steps.report(state);
        return { type: 'reported' };
    }
  };
  let state: ReductionState = { name: 'queued' };
  for (;;) {
    if (state.name === 'added') return state.losses;
    if (state.name === 'failed') throw state.error;
    const event = await carryOut(state).catch((error: unknown): ReductionEvent => {
      const isHalt = signal.aborted;
      return { type: 'error', error: isHalt ? signal.reason : error, isHalt };
    });
    state = nextState(state, event, key);
  }
}

/** The effects of two states of a replica's reduction. */
function replicaSteps(
  { board, failures, clock, master, updater, config, log }: ReductionParts,
  { network, position: { iteration } }: Half,
  { key, replica }: { key: string; replica: number },
  order: ReplicaOrder,
  signal: AbortSignal,
) {
  const placeOf = ({ worker }: GradientOffer) => ({ task: key, iteration, replica, network, worker });
  return {
    async add(offer: GradientOffer): Promise<void> {
      log.debug({ event: 'gradient', ...placeOf(offer) }, 'gradient');
      const { gradient } = offer.result;
      if (!gradient) throw new FourfoldError('mismatch', 'the answer is not a gradient');
      const pull = {
        source: clock.transfers(gradient),
        layout: master.layout(network),
        replica,
        begin: order.of(replica),
        silenceMs: config.timing.silenceMs,
        // A pull is short: an early stop waits for it.
        signal: offer.signal,
      };
      await pullGradient(pull, updater, master.state(network), order);
      board.finish(key, replica);
      failures.done(key, offer.worker);
    },
    report({ offer, reported }: ReductionState & { name: 'broken' }): void {
      const place = placeOf(offer);
      const { code, reason } = reported;
      const inARow = failures.failed(offer.worker, offer.token, reported);
      if (code === 'bad-result') log.warn({ event: 'bad-gradient', ...place, reason, inARow }, 'bad gradient refused');
      // The failure may have ended the run.
      signal.throwIfAborted();
      log.info({ event: 'pull-failed', ...place, reason, begin: order.of(replica) }, 'a gradient will be pulled again');
    },
  };
}
