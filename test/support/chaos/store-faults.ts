import { setTimeout as delay } from 'node:timers/promises';
import { deletes } from '../s3-gate.js';
import { expectEnd, expectSuperseded, firstUpdate, succeed, type Chaos } from './chaos.js';
import type { Fault } from './faults.js';

/*
 * Behaviour of an object store that a coordinator must survive or refuse, and a worker that is slow with an evaluation.
 */

const heldMs = 60_000;
/** A throttled worker runs for this much of each tenth of a second. */
const throttle = { runMs: 8, stopMs: 92 };

export const storeFaults = {
  async 'no right to delete objects'({ office }: Chaos, { forMs }: Fault): Promise<void> {
    const { gate } = office();
    gate.decide((request) => (deletes(request) ? 'deny' : 'pass'));
    await delay(forMs * 2);
    gate.decide();
  },
  async 'an S3 that ignores conditions'(chaos: Chaos, { forMs }: Fault): Promise<void> {
    const { process } = chaos.office();
    chaos.struck.add(process);
    process.child.kill('SIGKILL');
    await process.exit;
    const refused = await chaos.cluster.startCoordinator('--resume');
    refused.gate.decide(() => 'ignore conditions');
    chaos.struck.add(refused.process);
    await expectEnd(refused.process, [1, 2], /condition/i);
    await delay(forMs / 8);
    await succeed(chaos);
  },
  async 'a predecessor that publishes during the takeover'(chaos: Chaos): Promise<void> {
    const { process, gate } = chaos.office();
    let release = () => undefined as void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const held = new Promise<void>((resolve) => {
      gate.decide(({ method, path }) => {
        if (method !== 'PUT' || !/\/checkpoints\/[^/]+\/manifest\.json/.test(path)) return 'pass';
        resolve();
        return { until: released };
      });
    });
    await Promise.race([held, delay(heldMs)]);
    chaos.struck.add(process);
    const successor = await succeed(chaos);
    await firstUpdate(successor);
    release();
    await expectSuperseded(process);
  },
  /** The worker that measures gets a twelfth of its time: its evaluation takes longer than a lease. */
  async 'a slow evaluation'({ cluster, office }: Chaos, { forMs }: Fault): Promise<void> {
    const begunMs = Date.now();
    const measuring = () => {
      const { events } = office().process;
      const lease = events.findLast(({ event, task }) => event === 'lease' && String(task).startsWith('evaluation'));
      if (!lease || Number(lease['time']) < begunMs) return undefined;
      const joined = events.find(({ event, worker }) => event === 'worker-joined' && worker === lease['worker']);
      return [...cluster.workers].find((part) =>
        part.events.some(({ event, address }) => event === 'started' && address === joined?.['exchangeAddress']),
      );
    };
    let worker;
    while (!(worker = measuring()) && Date.now() < begunMs + heldMs) await delay(5);
    const endMs = Date.now() + forMs * 2;
    while (worker && Date.now() < endMs) {
      worker.child.kill('SIGSTOP');
      await delay(throttle.stopMs);
      worker.child.kill('SIGCONT');
      await delay(throttle.runMs);
    }
  },
};
