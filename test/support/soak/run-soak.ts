import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, Office } from '../cluster.js';
import type { LogEvent, Process } from '../process.js';
import type { Chaos } from '../chaos/chaos.js';
import { groupOf } from '../chaos/faults.js';
import { inject } from '../chaos/inject.js';
import { keepParts, progressOf, rejected } from '../chaos/run-chaos.js';
import type { KeptRun } from './kept.js';
import type { TimedFault } from './plan.js';
import { startSampling, type Sample, type Watched } from './sample.js';

export interface SoakReport {
  seconds: number;
  iterations: number;
  /** How often each kind of fault struck. */
  kinds: Record<string, number>;
  /** Last messages of workers and data-loaders that gave up on their own and were replaced. */
  replaced: string[];
  samples: Sample[];
  /** By worker, in order of start: how many tensors were left each time that it left a coordinator. */
  tensorsLeft: number[][];
}

const sampleMs = 10_000;
/** Of the soak's config. */
const ganPhase = 1;
const progressMs = 180_000;
const endMs = 180_000;
/** The soak begins when every part has started. */
const firstIterations = 3;

/**
 * Keep an endless run going while faults strike at their times, and sample what its processes hold. Rejects if a part
 * fails in a way that no fault explains, or the run stands still at the end.
 */
export async function runSoak(
  cluster: Cluster,
  kept: KeptRun,
  faults: readonly TimedFault[],
  { seconds, workers, loaders }: { seconds: number; workers: number; loaders: number },
  say: (line: string) => void,
): Promise<SoakReport> {
  let office: Office = await cluster.startCoordinator();
  const chaos: Chaos = {
    cluster,
    office: () => office,
    takeOffice: (next) => (office = next),
    struck: new Set(),
    troubles: [],
  };
  const report: SoakReport = { seconds, iterations: 0, kinds: {}, replaced: [], samples: [], tensorsLeft: [] };
  const failure = new AbortController();
  const failed = rejected(failure.signal);
  // Nobody may be waiting for it at that moment.
  failed.catch(() => undefined);
  for (let i = 0; i < loaders; i++) cluster.startLoader();
  for (let i = 0; i < workers; i++) cluster.startWorker();
  const keeping = keepParts(chaos, report, failure);
  const allWorkers = new Set(cluster.workers);
  const sampling = startSampling(
    () => {
      for (const worker of cluster.workers) allWorkers.add(worker);
      return [...partsOf(cluster), ...kept.parts()];
    },
    Math.min(sampleMs, (seconds * 1000) / 12),
  );
  report.samples = sampling.samples;
  try {
    await within(progressMs, 'the first iterations', () => progressOf(chaos) > firstIterations, failure.signal);
    await within(
      progressMs,
      'the kept run',
      () => kept.parts().some(({ role }) => role === 'kept worker'),
      failure.signal,
    );
    const begunMs = performance.now();
    const until = async (atSeconds: number) => {
      const leftMs = begunMs + atSeconds * 1000 - performance.now();
      await Promise.race([delay(Math.max(0, leftMs)), failed]);
    };
    const groups = new Map<string, Promise<void>>();
    for (const fault of faults) {
      await until(fault.atSeconds);
      say(`${fault.atSeconds} s, iteration ${progressOf(chaos)}: ${fault.kind} for ${fault.forMs} ms`);
      report.kinds[fault.kind] = (report.kinds[fault.kind] ?? 0) + 1;
      const group = fault.kind === 'kill a kept worker' ? 'kept' : groupOf(fault.kind);
      const done = (groups.get(group) ?? Promise.resolve()).then(() => strike(chaos, kept, fault));
      done.catch((cause: unknown) => failure.abort(new Error(`${fault.kind} at ${fault.atSeconds} s`, { cause })));
      groups.set(group, done);
    }
    await until(seconds);
    await Promise.race([Promise.all(groups.values()), failed]);
    report.iterations = progressOf(chaos);
    await expectProgress(chaos, failure.signal);
    if (kept.train.child.exitCode !== null) throw new Error(`the kept run ended: ${kept.train.errors.join('\n')}`);
  } finally {
    sampling.stop();
    keeping.stop();
  }
  const last = [...cluster.workers];
  const before = last.map((worker) => leftBy(worker).length);
  await endAll([office.process]);
  // Each then reports what it has left.
  await within(endMs, 'the last workers leave their coordinator', () =>
    last.every((worker, i) => leftBy(worker).length > before[i] || worker.child.exitCode !== null),
  );
  await endAll([...last, ...cluster.loaders, kept.train]);
  report.tensorsLeft = [...allWorkers].map(leftBy);
  return report;
}

const strike = async (chaos: Chaos, kept: KeptRun, { kind, ...fault }: TimedFault): Promise<void> =>
  kind === 'kill a kept worker'
    ? kept.killWorker()
    : inject(chaos, { kind, ...fault, iteration: 0, moment: 'at once' });

const partsOf = ({ coordinators, workers, loaders }: Cluster): Watched[] => {
  const always = () => true;
  const watched = (role: string) => (part: Process) => ({ role, pid: part.child.pid as number, isWarm: always });
  return [
    ...coordinators
      .map(({ process }) => process)
      .filter(({ child }) => child.exitCode === null && !child.signalCode)
      .map(watched('coordinator')),
    ...[...workers].map((worker) => ({ ...watched('worker')(worker), isWarm: () => hasMetAllWork(worker) })),
    ...[...loaders].map(watched('data-loader')),
  ];
};

/** A half of each network in the gan phase, and an evaluation: a worker keeps the memory of each kind for the next time. */
const kindsOfWork: readonly ((lease: LogEvent) => boolean)[] = [
  ({ network, phase }) => network === 'GENERATOR' && phase === ganPhase,
  ({ network, phase }) => network === 'DISCRIMINATOR' && phase === ganPhase,
  ({ measured }) => measured !== undefined,
];

const hasMetAllWork = ({ events }: Process): boolean => {
  const leases = events.filter(({ event }) => event === 'lease');
  return kindsOfWork.every((isOfKind) => leases.some(isOfKind));
};

const leftBy = ({ events }: Process): number[] =>
  events.filter(({ event }) => event === 'left').map(({ tensors }) => Number(tensors));

async function within(ms: number, what: string, isIt: () => boolean, failed?: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + ms;
  while (!isIt()) {
    failed?.throwIfAborted();
    if (performance.now() > deadlineMs) throw new Error(`waited ${ms} ms in vain for: ${what}`);
    await delay(100);
  }
}

async function expectProgress(chaos: Chaos, failed: AbortSignal): Promise<void> {
  const before = progressOf(chaos);
  await within(progressMs, `an iteration after ${before}`, () => progressOf(chaos) > before, failed);
}

/** As Kubernetes ends them. */
async function endAll(parts: readonly Process[]): Promise<void> {
  for (const part of parts) {
    part.child.kill('SIGTERM');
    const last = setTimeout(() => part.child.kill('SIGKILL'), endMs);
    await part.exit;
    clearTimeout(last);
  }
}
