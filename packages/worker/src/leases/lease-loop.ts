import { failureCode, judge, withDeadline, type Network, type RunConfig } from '@fourfold/common';
import {
  networkOf,
  reasonOf,
  tokenName,
  type ReplicaWork__Output,
  type Token__Output,
  type WireVector,
} from '@fourfold/rpc';
import type { WireLayout } from '@fourfold/weights';
import type { BatchQueue } from './batches.js';
import type { ComputeMethods } from '../compute/compute-thread.js';
import type { ParameterSource } from '../exchange/exchange.js';
import type { GradientStore } from '../exchange/gradient-store.js';
import type { ParameterCache } from '../exchange/parameters.js';
import type { Session } from '../session/session.js';
import type { Remote } from '../compute/thread-rpc.js';

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

export interface LeaseLoopParts {
  config: RunConfig;
  compute: Remote<ComputeMethods>;
  parameters: ParameterCache;
  batches: BatchQueue;
  gradients: GradientStore;
  /** How gradients cross. */
  layouts: Record<Network, WireLayout>;
  onComputed?: (lease: ComputedLease) => void;
}

/**
 * Compute a session's replica leases one after another. While none waits, the kept passes' content losses are computed
 * ahead: that work overlaps the discriminator's exchange. An error that makes this worker unfit ends the session.
 */
export function createLeaseLoop(
  { config, compute, parameters, batches, gradients, layouts, onComputed }: LeaseLoopParts,
  session: Session,
) {
  const waiting: ReplicaLease[] = [];
  const halfDone: ReplicaWork__Output[] = [];
  /** The lease in computation, and whether its result is still wanted. */
  let current: { name: string; wanted: boolean } | undefined;
  let running = false;

  async function computeLease({ token, leaseMs, work, source }: ReplicaLease): Promise<void> {
    const network = networkOf(work.network);
    const begunMs = performance.now();
    let fetchedMs = begunMs;
    const fetched = ensureParameters(source, work).then(() => (fetchedMs = performance.now()));
    const [batch] = await Promise.all([batches.get(work.iteration, work.replica), fetched]);
    const readyMs = performance.now();
    if (!current?.wanted) return;
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
    if (!current?.wanted) {
      gradients.giveBack(gradient);
      return;
    }
    const seconds = {
      transferring: (fetchedMs - begunMs) / 1000,
      waiting: (readyMs - fetchedMs) / 1000,
      computing: (performance.now() - readyMs) / 1000,
    };
    // The next lease need not wait for the delivery.
    deliver(token, losses, gradient, { network, seconds }).catch((error: unknown) => failed(token, error));
    if (network === 'discriminator') halfDone.push(work);
    else batches.done(work.iteration, work.replica);
  }

  async function deliver(
    token: Token__Output,
    losses: Record<string, number>,
    gradient: WireVector,
    { network, seconds }: ComputedLease,
  ): Promise<void> {
    const begunMs = performance.now();
    const offered = await gradients.offer(token, gradient);
    if (offered) session.send({ gradientReady: { token, losses, ...offered } });
    const transferring = seconds.transferring + (performance.now() - begunMs) / 1000;
    onComputed?.({ network, seconds: { ...seconds, transferring } });
  }

  async function ensureParameters(
    source: ParameterSource,
    { generatorVersion, discriminatorVersion, phase }: ReplicaWork__Output,
  ): Promise<void> {
    const isGan = config.phases[phase].kind === 'gan';
    await Promise.all([
      parameters.ensure(source, 'generator', generatorVersion),
      isGan && parameters.ensure(source, 'discriminator', discriminatorVersion),
    ]);
  }

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    for (;;) {
      const lease = waiting.shift();
      if (lease) {
        current = { name: tokenName(lease.token), wanted: true };
        await computeLease(lease).catch((error: unknown) => {
          if (current?.wanted) failed(lease.token, error);
        });
        current = undefined;
        continue;
      }
      const work = halfDone.shift();
      if (!work) break;
      await compute.prepareContent(work);
    }
    running = false;
  }

  function failed(token: Token__Output, error: unknown): void {
    const verdict = judgeHere(error);
    if (verdict === 'stale') return;
    if (verdict === 'this machine') return session.fail(error as Error, token);
    session.send({ leaseFailed: { token, code: failureCode(error), reason: reasonOf(error) } });
  }

  return {
    /** Report why a lease could not be computed; this ends the lease alone, or the session. */
    failed,
    /** Accept a lease; it is computed when its turn comes. */
    add(lease: ReplicaLease): void {
      const { work } = lease;
      batches.prepare(work.iteration, work.replica);
      // Halves of other iterations are stale.
      const ofThisOne = halfDone.filter(
        ({ iteration, replica }) => iteration === work.iteration && replica !== work.replica,
      );
      halfDone.splice(0, halfDone.length, ...ofThisOne);
      waiting.push(lease);
      run().catch(session.fail);
    },
    /** The coordinator is done with a lease. */
    end(token: Token__Output): void {
      const index = waiting.findIndex((lease) => tokenName(lease.token) === tokenName(token));
      if (index >= 0) waiting.splice(index, 1);
      else if (current?.name === tokenName(token)) current.wanted = false;
      gradients.release(token);
    },
    /** Compute no more leases. */
    stop(): void {
      waiting.length = 0;
      halfDone.length = 0;
      if (current) current.wanted = false;
    },
  };
}

/** How a worker judges its own failure, as if it were the first; only the coordinator knows how often it has failed. */
function judgeHere(error: unknown) {
  const nobody = { machine: '', process: '', begunMs: 0, failedMs: 0 };
  const once = { times: 1, inARow: 1, earlier: [], machines: new Set<string>() };
  return judge({ ...nobody, code: failureCode(error) }, once);
}
