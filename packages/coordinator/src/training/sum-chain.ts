import { describeError, type Half, type Logger, type RunConfig } from '@fourfold/common';
import { lostWorker } from '@fourfold/rpc';
import type { Exchange } from '../exchange/exchange.js';
import { mayHop, noBarredHops, routeOf, withBarred, type HeldGradient } from '../exchange/route.js';
import type { LeaseBoard } from '../leases/lease-board.js';
import type { Answer, Work } from '../serve/work.js';
import type { Master } from '../updates/master.js';
import type { UpdateClock } from '../updates/update-clock.js';
import type { GradientOffer } from './reduction-state.js';

/** What a sum uses. */
interface ChainParts {
  config: RunConfig;
  master: Pick<Master, 'state'>;
  board: LeaseBoard<Work, Answer>;
  exchange: Pick<Exchange, 'sum'>;
  clock: UpdateClock;
  log: Logger;
}

/** Sums the first replicas of a half along a chain of workers. Resolves with their answers; with none if all have to be pulled. */
export type SumChain = (
  parts: ChainParts,
  half: Half,
  keys: readonly string[],
  signal: AbortSignal,
) => Promise<GradientOffer[]>;

/** The star: nothing is summed by workers. */
export const noChain: SumChain = async () => [];

/**
 * The chain of a run. It asks for a sum once the gradients are there, so that no hop waits for a computation: a hop that is silent is at
 * fault. If a sum breaks off, the gradients are pulled instead: their workers keep them until the update has them all.
 */
export function createSumChain(): SumChain {
  let barred = noBarredHops;

  /** The answers of the first replicas, up to the first whose worker cannot be a hop. */
  async function firstAnswers({ board }: Pick<ChainParts, 'board'>, keys: readonly string[], signal: AbortSignal) {
    const offers: GradientOffer[] = [];
    for (const key of keys) {
      const offer = await board.nextOffer(key, signal);
      if (!mayHop(heldBy(offer), barred, performance.now())) break;
      offers.push(offer);
    }
    return offers;
  }

  return async (parts, { network, position: { iteration } }, keys, signal) => {
    const { clock, config, exchange, log, master } = parts;
    let offers: GradientOffer[];
    do offers = await firstAnswers(parts, keys, signal);
    while (offers.some(isLost));
    // One gradient is as well pulled.
    if (offers.length < 2) return [];
    const { silenceMs } = config.timing;
    const { sum, parameterCount, roundedSums } = master.state(network);
    const hops = routeOf(offers.map(heldBy), { silenceMs, rounded: roundedSums ? parameterCount : 0 });
    const target = new Uint8Array(sum.buffer, sum.byteOffset, sum.byteLength);
    const oneIsLost = AbortSignal.any([signal, ...offers.map((offer) => offer.signal)]);
    const about = { iteration, network, hops: hops.map(({ worker }) => worker) };
    log.debug({ event: 'chain', ...about }, 'sum along the chain');
    try {
      const options = { silenceMs, signal: oneIsLost };
      await clock.during('transferring', () => exchange.sum(hops, target, options));
      oneIsLost.throwIfAborted();
      return offers;
    } catch (error) {
      signal.throwIfAborted();
      const lost = lostWorker(error);
      if (lost !== undefined) barred = withBarred(barred, lost, performance.now());
      const reason = oneIsLost.aborted ? 'a worker was lost' : describeError(error);
      log.info({ event: 'chain-broken', ...about, lost, reason }, 'the gradients are pulled instead');
      return [];
    }
  };
}

const isLost = ({ signal }: GradientOffer): boolean => signal.aborted;

const heldBy = ({ worker, token, result }: GradientOffer): HeldGradient => ({
  worker,
  token: token.number,
  peer: result.hop,
});
