import type { Network } from '@fourfold/common';
import type { GradientSource } from '../exchange/gradient-pieces.js';
import type { Master } from '../updates/master.js';
import { pullGradient, type AddingUpdater } from '../updates/reduction.js';
import { createReplicaOrder } from '../updates/replica-order.js';
import type { GradientOffer } from './reduction-state.js';

/** Replicas whose factors cross at once: the next are in transit while a product is added. */
const replicasAtOnce = 2;

/**
 * Pull the factors in some gradients, which are the first replicas', and add their products to the network's sum, in the order of the
 * replicas. They do not pass along the chain: all replicas' factors cross the coordinator's link either way, and no other link.
 * Rejects as `pullGradient` does.
 */
export async function pullFactors(
  { master, updater }: { master: Pick<Master, 'state' | 'layout'>; updater: AddingUpdater },
  network: Network,
  offers: readonly GradientOffer[],
  options: { silenceMs: number; signal: AbortSignal },
): Promise<void> {
  const state = master.state(network);
  const factored = state.wires.gradients.sections.filter(({ encoding }) => encoding === 'factors');
  if (factored.length === 0) return;
  const begin = factored[0].byteBegin;
  const last = factored[factored.length - 1];
  const end = last.byteBegin + last.byteLength;
  const order = createReplicaOrder();
  const pulls = offers.map(async ({ result: { gradient } }, replica) => {
    await order.reached(replica - replicasAtOnce, end);
    if (!gradient) throw new Error('an answer along the chain is not a gradient');
    const source = factorsOf(gradient, factored);
    await pullGradient({ source, layout: master.layout(network), replica, begin, ...options }, updater, state, order);
  });
  const all = Promise.all(pulls);
  all.catch((error: unknown) => order.stop(error as Error));
  await Promise.allSettled(pulls);
  await all;
}

/** A gradient's factors alone: what follows them is little. */
const factorsOf = (gradient: GradientSource, factored: readonly { byteBegin: number }[]): GradientSource =>
  async function* (options) {
    for await (const piece of gradient(options)) {
      if (factored.some(({ byteBegin }) => byteBegin === piece.begin)) yield piece;
    }
  };
