import { describeError, nextHalf, type Half, type Logger, type Network, type RunConfig } from '@fourfold/common';
import { lostWorker, type StreamOptions, type SumHop } from '@fourfold/rpc';
import type { Exchange } from '../exchange/exchange.js';
import { mayHop, routeOf, type HeldGradient } from '../exchange/route.js';
import type { LeaseBoard } from '../leases/lease-board.js';
import type { Answer, Work } from '../serve/work.js';
import type { EarlyUpdate, Master } from '../updates/master.js';
import type { AddingUpdater } from '../updates/reduction.js';
import type { Updater } from '../updates/types.js';
import type { UpdateClock } from '../updates/update-clock.js';
import { pullFactors } from './pull-factors.js';
import type { GradientOffer } from './reduction-state.js';
import { createSumProgress, type SumProgress } from './sum-progress.js';

/** What a sum uses. */
interface ChainParts {
  config: RunConfig;
  master: Pick<Master, 'state' | 'layout' | 'versions' | 'beginUpdate'>;
  updater: AddingUpdater & Pick<Updater, 'setSum'>;
  board: LeaseBoard<Work, Answer>;
  exchange: Pick<Exchange, 'sum' | 'bar' | 'publishEarly'>;
  clock: UpdateClock;
  log: Logger;
}

export type SumChain = typeof sumAlongChain;

/**
 * Sum the first replicas of a half along a chain of workers. Resolves with their answers; with none if all have to be pulled. It asks for
 * the sum once the gradients are there, so that no hop waits for a computation. Where all replicas are in it, the update begins with its
 * first bytes. If a sum breaks off, the gradients are pulled instead: their workers keep them until the update has them all.
 */
export async function sumAlongChain(
  parts: ChainParts,
  half: Half,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<GradientOffer[]> {
  const { clock, config, log } = parts;
  const {
    network,
    position: { iteration },
  } = half;
  let offers: GradientOffer[];
  do offers = await firstAnswers(parts, keys, signal);
  while (offers.some(isLost));
  // One gradient is as well pulled.
  if (offers.length < 2) return [];
  const { silenceMs } = config.timing;
  const hops = routeOf(offers.map(heldBy));
  const oneIsLost = AbortSignal.any([signal, ...offers.map((offer) => offer.signal)]);
  const about = { iteration, network, hops: hops.map(({ worker }) => worker) };
  log.debug({ event: 'chain', ...about }, 'sum along the chain');
  const update = offers.length === keys.length ? beginUpdate(parts, half) : undefined;
  const progress = createSumProgress(parts.master.state(network).wires, (element) => update?.advance(element));
  try {
    await clock.during('transferring', () =>
      allOrNone(oneIsLost, (signal) => [
        receiveSum(parts, network, hops, progress, { silenceMs, signal }),
        pullFactors(parts, network, offers, { silenceMs, signal }).then(progress.multiplied),
      ]),
    );
    oneIsLost.throwIfAborted();
    return offers;
  } catch (error) {
    await update?.drop();
    signal.throwIfAborted();
    const lost = lostWorker(error);
    if (lost !== undefined) parts.exchange.bar.bar(lost);
    const reason = oneIsLost.aborted ? 'a worker was lost' : describeError(error);
    log.info({ event: 'chain-broken', ...about, lost, reason }, 'the gradients are pulled instead');
    return [];
  }
}

/** The answers of the first replicas, up to the first whose worker cannot be a hop. */
async function firstAnswers(
  { board, exchange }: Pick<ChainParts, 'board' | 'exchange'>,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<GradientOffer[]> {
  const offers: GradientOffer[] = [];
  for (const key of keys) {
    const offer = await board.nextOffer(key, signal);
    if (!mayHop(heldBy(offer), exchange.bar)) break;
    offers.push(offer);
  }
  return offers;
}

/** Begin the update of a half, and let workers have its parameters as it makes them, unless nobody needs them. */
function beginUpdate(
  { config, exchange, master }: Pick<ChainParts, 'config' | 'exchange' | 'master'>,
  { network, learningRate }: Half,
): EarlyUpdate {
  const update = master.beginUpdate(network, learningRate);
  const versions = master.versions();
  const isLast = !nextHalf(config.phases, { ...versions, [network]: versions[network] + 1 });
  const unpublish = isLast ? undefined : exchange.publishEarly(network);
  return {
    ...update,
    drop() {
      unpublish?.();
      return update.drop();
    },
  };
}

/** Set the network's sum to the one that comes along the chain. */
async function receiveSum(
  { exchange, master, updater, log }: Pick<ChainParts, 'exchange' | 'master' | 'updater' | 'log'>,
  network: Network,
  hops: readonly SumHop[],
  progress: Pick<SumProgress, 'came'>,
  options: Omit<StreamOptions, 'byteLength'>,
): Promise<void> {
  const state = master.state(network);
  const layout = state.wires.sums;
  for await (const { begin, bytes } of exchange.sum(hops, { ...options, byteLength: layout.byteLength })) {
    updater.setSum(state, begin, bytes);
    const end = begin + bytes.byteLength;
    progress.came(end);
    log.debug({ event: 'summed', network, end }, 'a piece of the sum has come');
  }
}

/** Resolves when all are done. When one fails, the others are ended; rejects with its error when they are. */
async function allOrNone(signal: AbortSignal, begin: (signal: AbortSignal) => Promise<void>[]): Promise<void> {
  const failed = new AbortController();
  const all = begin(AbortSignal.any([signal, failed.signal]));
  const first = Promise.all(all);
  first.catch((error: unknown) => failed.abort(error));
  await Promise.allSettled(all);
  await first;
}

const isLost = ({ signal }: GradientOffer): boolean => signal.aborted;

const heldBy = ({ worker, token, result }: GradientOffer): HeldGradient => ({
  worker,
  token: token.number,
  peer: result.hop,
});
