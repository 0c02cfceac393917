import type { StreamPeer, SumHop } from '@fourfold/rpc';

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

/** By worker: until when it is no hop, because a sum has broken off at it. */
export type BarredHops = ReadonlyMap<number, number>;

/** How long a worker is no hop after a sum has broken off at it: many updates, so that a bad link between two workers costs little. */
const barredMs = 60_000;

export const noBarredHops: BarredHops = new Map();

/** A sum has broken off at this worker. */
export const withBarred = (barred: BarredHops, worker: number, nowMs: number): BarredHops =>
  new Map([...barred].filter(([, untilMs]) => untilMs > nowMs)).set(worker, nowMs + barredMs);

/** Whether a gradient may be summed by its worker. */
export const mayHop = ({ worker, peer }: HeldGradient, barred: BarredHops, nowMs: number): boolean =>
  peer !== undefined && (barred.get(worker) ?? -Infinity) <= nowMs;

/**
 * The hops of the sum of these gradients, which are the first replicas', in their order: consecutive gradients of one worker are one hop.
 * Each hop waits a little longer than the one before it, and the coordinator, for `silenceMs`, longest: the one that waits for the hop at
 * fault gives up first, and says whom it waited for.
 */
export function routeOf(gradients: readonly HeldGradient[], silenceMs: number): SumHop[] {
  const hops: Omit<SumHop, 'silenceMs'>[] = [];
  for (const { worker, token, peer } of gradients) {
    if (!peer) throw new Error(`worker ${worker} cannot be a hop`);
    const last = hops.at(-1);
    if (last?.worker === worker) hops[hops.length - 1] = { ...last, tokens: [...last.tokens, token] };
    else hops.push({ worker, address: peer.address, secret: peer.secret, tokens: [token] });
  }
  return hops.map((hop, before) => ({ ...hop, silenceMs: (silenceMs * before) / hops.length }));
}
