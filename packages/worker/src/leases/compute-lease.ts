import type { Batch } from '@fourfold/data-loader';
import { withDeadline, type Network, type RunConfig } from '@fourfold/common';
import { networkOf, type ReplicaWork__Output, type Token__Output, type WireVector } from '@fourfold/rpc';
import type { WireLayout } from '@fourfold/weights';
import type { ComputeMethods } from '../compute/compute-thread.js';
import type { Remote } from '../compute/thread-rpc.js';
import type { ParameterSource } from '../exchange/exchange.js';
import type { GradientStore } from '../exchange/gradient-store.js';
import type { ParameterCache } from '../exchange/parameters.js';
import type { BatchQueue } from './batches.js';

/** A lease of one replica, and where its parameters come from. */
export interface ReplicaLease {
  token: Token__Output;
  leaseMs: number;
  work: ReplicaWork__Output;
  source: ParameterSource;
}

/** The parts of a lease's time. Those of successive leases may overlap. */
export const leaseParts = ['waiting', 'transferring', 'computing'] as const;

/** A lease that has been computed, and whose gradient has been offered. */
export interface ComputedLease {
  network: Network;
  seconds: Record<(typeof leaseParts)[number], number>;
}

/** A lease's results. The gradient is in a buffer of the gradient store. */
export interface Computed extends ComputedLease {
  losses: Record<string, number>;
  gradient: WireVector;
}

export interface LeaseParts {
  config: RunConfig;
  compute: Remote<ComputeMethods>;
  parameters: ParameterCache;
  batches: BatchQueue;
  gradients: GradientStore;
  /** How gradients cross. */
  layouts: Record<Network, WireLayout>;
}

/**
 * Fetch what a lease needs, and compute it. Undefined if `isWanted` says meanwhile that nobody wants it; its buffer is
 * given back.
 */
export async function computeLease(
  parts: LeaseParts,
  lease: ReplicaLease,
  isWanted: () => boolean,
): Promise<Computed | undefined> {
  const { batch, release } = parts.batches.hold(lease.work.iteration, lease.work.replica);
  try {
    return await computeWith(batch, parts, lease, isWanted);
  } finally {
    release();
  }
}

async function computeWith(
  arriving: Promise<Batch>,
  { config, compute, parameters, gradients, layouts }: LeaseParts,
  { leaseMs, work, source }: ReplicaLease,
  isWanted: () => boolean,
): Promise<Computed | undefined> {
  const network = networkOf(work.network);
  const begunMs = performance.now();
  let fetchedMs = begunMs;
  const isGan = config.phases[work.phase].kind === 'gan';
  const fetched = Promise.all([
    parameters.ensure(source, 'generator', work.generatorVersion),
    isGan && parameters.ensure(source, 'discriminator', work.discriminatorVersion),
  ]).then(() => (fetchedMs = performance.now()));
  const [batch] = await Promise.all([arriving, fetched]);
  const readyMs = performance.now();
  if (!isWanted()) return undefined;
  const gradient = gradients.take(layouts[network]);
  const half = network === 'generator' ? compute.generatorHalf : compute.discriminatorHalf;
  // Once it has thrown, it no longer writes to the buffer.
  const computing = half(work, batch, gradient.vector).catch((error: unknown) => {
    gradients.giveBack(gradient);
    throw error;
  });
  const losses = await withDeadline(computing, leaseMs, () => {
    throw new Error(
      `${work.network} ${work.iteration}.${work.replica} was not computed within its lease of ${leaseMs} ms; raise timing.leaseMs if the device is that slow`,
    );
  });
  if (!isWanted()) {
    gradients.giveBack(gradient);
    return undefined;
  }
  const seconds = {
    transferring: (fetchedMs - begunMs) / 1000,
    waiting: (readyMs - fetchedMs) / 1000,
    computing: (performance.now() - readyMs) / 1000,
  };
  return { network, losses, gradient, seconds };
}
