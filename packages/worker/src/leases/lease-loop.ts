import { failureCode, judge } from '@fourfold/common';
import { networkOf, reasonOf, tokenName, type ReplicaWork__Output, type Token__Output } from '@fourfold/rpc';
import type { Session } from '../session/session.js';
import {
  computeLease,
  type Computed,
  type ComputedLease,
  type LeaseParts,
  type ReplicaLease,
} from './compute-lease.js';

export interface LeaseLoopParts extends LeaseParts {
  onComputed?: (lease: ComputedLease) => void;
}

/**
 * Compute a session's replica leases one after another. While none waits, the kept passes' content losses are computed
 * ahead: that work overlaps the discriminator's exchange. An error that makes this worker unfit ends the session.
 */
// eslint-disable-next-line max-lines-per-function -- its short functions share what waits and what is computed
export function createLeaseLoop(parts: LeaseLoopParts, session: Session) {
  const { batches, gradients, onComputed } = parts;
  const waiting: ReplicaLease[] = [];
  const halfDone: ReplicaWork__Output[] = [];
  /** The lease in computation, and whether its result is still wanted. */
  let current: { name: string; wanted: boolean } | undefined;
  let running = false;

  async function compute(lease: ReplicaLease): Promise<void> {
    const { token, work } = lease;
    const computed = await computeLease(parts, lease, () => current?.wanted === true);
    if (!computed) return;
    // The next lease need not wait for the delivery.
    deliver(token, computed).catch((error: unknown) => failed(token, error));
    if (networkOf(work.network) === 'discriminator') halfDone.push(work);
    else batches.done(work.iteration, work.replica);
  }

  async function deliver(token: Token__Output, { network, losses, gradient, seconds }: Computed): Promise<void> {
    const begunMs = performance.now();
    const offered = await gradients.offer(token, gradient);
    if (offered) session.send({ gradientReady: { token, losses, ...offered } });
    const transferring = seconds.transferring + (performance.now() - begunMs) / 1000;
    onComputed?.({ network, seconds: { ...seconds, transferring } });
  }

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    for (;;) {
      const lease = waiting.shift();
      if (lease) {
        current = { name: tokenName(lease.token), wanted: true };
        await compute(lease).catch((error: unknown) => {
          if (current?.wanted) failed(lease.token, error);
        });
        current = undefined;
        continue;
      }
      const work = halfDone.shift();
      if (!work) break;
      await parts.compute.prepareContent(work);
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
