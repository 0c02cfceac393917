import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, Office } from '../cluster.js';
import type { LogEvent, Process } from '../process.js';
import { groupOf, type Fault, type Moment } from './faults.js';
import type { Chaos } from './chaos.js';
import { inject } from './inject.js';

export interface ChaosReport {
  /** Faults by kind, and by the moment at which they struck. */
  kinds: Record<string, number>;
  moments: Record<string, number>;
  /** Last messages of workers and data-loaders that gave up on their own and were replaced. */
  replaced: string[];
  /** What machines in trouble have reported. */
  troubles: string[];
  /** What all processes have logged, at the default level. */
  loggedBytes: number;
}

const pollMs = 20;
/** Moments are short. */
const reachPollMs = 1;
const momentIterations = 4;
const stuckMs = 180_000;

const momentOf: Record<Moment, ((event: LogEvent) => boolean) | undefined> = {
  'at once': undefined,
  'gradients are pulled': ({ event }) => event === 'gradient',
  'between the halves': ({ event, network }) => event === 'update' && network === 'discriminator',
  'a checkpoint is written': ({ event }) => event === 'checkpoint-begun',
};

/**
 * Run a whole schedule on a cluster while `faults` strike; parts that die are replaced, as Kubernetes would. Rejects if
 * a part fails in a way that no fault explains, or the run stands still for minutes.
 */
export async function runChaos(
  cluster: Cluster,
  faults: readonly Fault[],
  counts: { workers: number; loaders: number; iterations: number },
  say: (line: string) => void,
): Promise<ChaosReport> {
  let office: Office = await cluster.startCoordinator();
  const report: ChaosReport = { kinds: {}, moments: {}, replaced: [], troubles: [], loggedBytes: 0 };
  const chaos: Chaos = {
    cluster,
    office: () => office,
    takeOffice: (next) => (office = next),
    struck: new Set(),
    troubles: report.troubles,
  };
  const failure = new AbortController();
  for (let i = 0; i < counts.loaders; i++) cluster.startLoader();
  for (let i = 0; i < counts.workers; i++) cluster.startWorker();
  const keeping = keepParts(chaos, report, failure);

  const groups = new Map<string, Promise<void>>();
  for (const [i, fault] of faults.entries()) {
    await reach(chaos, fault.iteration, failure.signal);
    const moment = await awaitMoment(chaos, fault.moment, failure.signal);
    const group = groupOf(fault.kind);
    await groups.get(group);
    if (progressOf(chaos) >= counts.iterations - 1)
      throw new Error(`the run was over before fault ${i + 1} of ${faults.length}: give it more iterations a fault`);
    say(`${i + 1}/${faults.length}: ${fault.kind} for ${fault.forMs} ms, ${moment}, iteration ${progressOf(chaos)}`);
    const done = inject(chaos, fault);
    done.catch((cause: unknown) => failure.abort(new Error(`fault ${i + 1}, ${fault.kind}`, { cause })));
    groups.set(group, done);
    report.kinds[fault.kind] = (report.kinds[fault.kind] ?? 0) + 1;
    report.moments[moment] = (report.moments[moment] ?? 0) + 1;
  }
  await Promise.all(groups.values());
  const { code } = await Promise.race([office.process.exit, rejected(failure.signal)]);
  keeping.stop();
  report.loggedBytes = cluster.processes.reduce((sum, { loggedBytes }) => sum + loggedBytes(), 0);
  if (code !== 0) throw new Error(`the last coordinator ended with ${code}: ${office.process.errors.join('\n')}`);
  return report;
}

/** The iteration of the newest generator update of any coordinator; -1 before the first. */
export function progressOf({ cluster }: Chaos): number {
  const updates = cluster.coordinators.map(({ process }) =>
    process.events.findLast(({ event, network }) => event === 'update' && network === 'generator'),
  );
  return Math.max(-1, ...updates.map((event) => Number(event?.['iteration'] ?? -1)));
}

/** Wait until the run is at `iteration`, or `sooner` holds; rejects if a part fails or the run stands still. */
async function reach(
  chaos: Chaos,
  iteration: number,
  failed: AbortSignal,
  sooner: () => boolean = () => false,
): Promise<void> {
  let [before, sinceMs] = [-1, performance.now()];
  for (;;) {
    failed.throwIfAborted();
    const now = progressOf(chaos);
    if (now >= iteration || sooner()) return;
    if (now > before) [before, sinceMs] = [now, performance.now()];
    if (performance.now() - sinceMs > stuckMs) {
      const last = chaos.office().process.events.slice(-5);
      throw new Error(`the run stands still at iteration ${now} for ${stuckMs} ms: ${JSON.stringify(last)}`);
    }
    await delay(reachPollMs);
  }
}

/**
 * Wait for a moment in the log of any coordinator, including a successor, for a few iterations: an `mse` iteration has
 * no halves.
 */
async function awaitMoment(chaos: Chaos, moment: Moment, failed: AbortSignal): Promise<Moment> {
  const isIt = momentOf[moment];
  if (!isIt) return moment;
  const timesSaid = () => chaos.cluster.coordinators.flatMap(({ process }) => process.events.filter(isIt)).length;
  const before = timesSaid();
  const hasCome = () => timesSaid() > before;
  await reach(chaos, progressOf(chaos) + momentIterations, failed, hasCome);
  return hasCome() ? moment : 'at once';
}

/** Replace workers and data-loaders that leave on their own; a failure that a user would have to fix ends the test. */
export function keepParts(
  { cluster, struck }: Chaos,
  report: Pick<ChaosReport, 'replaced'>,
  failure: AbortController,
): { stop(): void } {
  const watched = new Set<Process>();
  const watch = (part: Process, start: () => Process) => {
    if (watched.has(part)) return;
    watched.add(part);
    void part.exit.then(({ code }) => {
      if (stopped || struck.has(part) || code === 0) return;
      const lastWords = part.errors.at(-1) ?? `code ${code}`;
      if (code === 1) {
        report.replaced.push(lastWords);
        start();
      } else failure.abort(new Error(`a part ended with ${code}: ${lastWords}`));
    });
  };
  let stopped = false;
  const timer = setInterval(() => {
    for (const worker of cluster.workers) watch(worker, cluster.startWorker);
    for (const loader of cluster.loaders) watch(loader, cluster.startLoader);
    for (const { process } of cluster.coordinators) {
      if (watched.has(process)) continue;
      watched.add(process);
      void process.exit.then(({ code }) => {
        if (stopped || struck.has(process) || code === 0) return;
        failure.abort(new Error(`a coordinator ended with ${code}: ${process.errors.join('\n')}`));
      });
    }
  }, pollMs);
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

export const rejected = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const fail = () => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
