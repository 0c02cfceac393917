import type { StreamPeer, SumHop } from '@fourfold/rpc';
import type { HopBar } from './barred-hops.js';

/*
 * Which way the sum of an update takes: a pure function of the gradients that are ready and of the workers that broke a sum before.
 */

/** A replica's gradient: who holds it, and by which token. */
export interface HeldGradient {
  worker: number;
  token: number;
  /** Undefined if the worker cannot be a hop. */
  peer?: StreamPeer;
}

/** Whether a gradient may be summed by its worker. */
export const mayHop = ({ worker, peer }: HeldGradient, bar: Pick<HopBar, 'isBarred'>): boolean =>
  peer !== undefined && !bar.isBarred(worker);

/**
 * The hops of the sum of these gradients, which are the first replicas', in their order: consecutive gradients of one worker are one hop.
 */
export function routeOf(gradients: readonly HeldGradient[]): SumHop[] {
  const hops: SumHop[] = [];
  for (const { worker, token, peer } of gradients) {
    if (!peer) throw new Error(`worker ${worker} cannot be a hop`);
    const last = hops.at(-1);
    if (last?.worker === worker) hops[hops.length - 1] = { ...last, tokens: [...last.tokens, token] };
    else hops.push({ worker, address: peer.address, secret: peer.secret, tokens: [token] });
  }
  return hops;
}
