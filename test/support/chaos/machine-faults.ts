import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { otherMachine, smallDisk } from '../other-machine.js';
import type { LogEvent, Process } from '../process.js';
import type { Chaos } from './chaos.js';
import type { Fault } from './faults.js';

/*
 * Trouble on one machine: a part joins from another machine, where something is wrong. It leaves with the reason, or
 * that machine's operator stops it; the run continues with the others.
 */

/** Time for a process to start on a busy machine, find the trouble and leave. */
const leaveMs = 180_000;
/** A part that got no requests has nothing to complain about. */
const complainMs = 20_000;
const pinoWarn = 40;
/** A port where nobody listens. */
const deadAddress = '127.0.0.1:9';

export const machineFaults = {
  async 'no validation pictures on a machine'(chaos: Chaos, fault: Fault): Promise<void> {
    const { cluster } = chaos;
    const worker = cluster.startStranger(
      'worker',
      { wrapper: otherMachine(cluster.folder) },
      ...['--set', `validation.images=${join(cluster.folder, 'not-mounted')}`],
    );
    await expectLeaves(chaos, worker, fault, /not-mounted/);
  },
  async 'an unreadable shard on a machine'(chaos: Chaos, fault: Fault): Promise<void> {
    const { cluster } = chaos;
    const gate = await cluster.startGate();
    gate.decide(({ path }) => (/shard-\d+\.tar/.test(path) ? 'deny' : 'pass'));
    const environment = (own: Record<string, string>) => ({ ...own, FOURFOLD_S3_ENDPOINT: `https://${gate.address}` });
    await withTroubled(chaos, fault, { environment });
    gate.close();
  },
  async 'a full cache disk on a machine'(chaos: Chaos, fault: Fault): Promise<void> {
    const disk = await mkdtemp(join(chaos.cluster.folder, 'disk-'));
    const options = { wrapper: [smallDisk(disk, 64)], cacheFolder: disk };
    await withTroubled(chaos, fault, options);
  },
  async 'an address that cannot be reached'(chaos: Chaos, fault: Fault): Promise<void> {
    const { cluster } = chaos;
    const worker = cluster.startStranger(
      'worker',
      { wrapper: otherMachine(cluster.folder) },
      ...['--advertise', deadAddress, '--set', 'exchange.transport=grpc'],
    );
    await takeAway(chaos, worker, fault);
  },
};

/**
 * A data-loader, or a worker that reads shards itself, on a machine that cannot read the dataset. It has its own cache
 * folder, so that nothing is cached.
 */
async function withTroubled(
  chaos: Chaos,
  fault: Fault,
  {
    environment,
    wrapper = [],
    cacheFolder,
  }: {
    environment?: (own: Record<string, string>) => Record<string, string>;
    wrapper?: string[];
    cacheFolder?: string;
  },
): Promise<void> {
  const { cluster } = chaos;
  const cache = cacheFolder ?? (await mkdtemp(join(cluster.folder, 'cache-')));
  const options = { environment, wrapper: otherMachine(cluster.folder, ...wrapper) };
  const args = ['--set', `data.cacheFolder=${cache}`];
  const part =
    fault.pick < 0.5
      ? cluster.startStranger('data-loader', options, ...args)
      : cluster.startStranger('worker', options, ...args, '--set', 'batches.from=shards');
  await takeAway(chaos, part, fault);
}

async function expectLeaves({ troubles }: Chaos, part: Process, { kind, forMs }: Fault, reason: RegExp): Promise<void> {
  const patience = new AbortController();
  const late = delay(leaveMs, 'late', { signal: patience.signal }).catch(() => 'gone');
  const outcome = await Promise.race([part.exit, late]);
  patience.abort();
  const said = part.errors.join('\n');
  if (outcome === 'late') {
    part.child.kill('SIGKILL');
    throw new Error(`it did not leave in ${leaveMs} ms: ${JSON.stringify(part.events.slice(-5))}`);
  }
  // The run may be over before the part has found the trouble.
  if (part.child.exitCode !== 0 && !reason.test(said))
    throw new Error(`it left without the reason ${String(reason)}: ${said}`);
  troubles.push(`${kind}: ${said}`);
  await delay(forMs / 4);
}

/** As the machine's operator: end the part a while after its complaint, if it has not left. */
async function takeAway({ troubles }: Chaos, part: Process, { kind, forMs }: Fault): Promise<void> {
  const complains = (said: LogEvent) => Number(said['level']) >= pinoWarn;
  const complaint = await part.waitFor(complains, 'a complaint', complainMs).catch(() => undefined);
  const gone = new AbortController();
  const wait = delay(forMs, undefined, { signal: gone.signal }).catch(() => undefined);
  await Promise.race([part.exit, wait]);
  gone.abort();
  part.child.kill('SIGTERM');
  const last = setTimeout(() => part.child.kill('SIGKILL'), leaveMs);
  const { code } = await part.exit;
  clearTimeout(last);
  const said = JSON.stringify(complaint?.['reason'] ?? complaint?.['msg'] ?? 'nothing');
  troubles.push(`${kind}: code ${code}; ${said}; ${part.errors.join(' ')}`);
}
