import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger, FourfoldError, median, startHttpServer, type RunConfig } from '@fourfold/common';
import { startServer, wire } from '@fourfold/rpc';
import {
  createCoordinatorService,
  createExchange,
  createFailures,
  createLeaseBoard,
  createMaster,
  createProgress,
  createStatusRoutes,
  openParameterFiles,
  train,
  workerStatus,
  type Answer,
  type StatusSource,
  type Work,
} from '@fourfold/coordinator';
import { freePorts } from '../servers/index.js';
import { ownParts, profileThread } from './profile.js';
import type { ScaleWorkersReport } from './scale-worker.js';

/*
 * `fourfold bench scale`: what an iteration costs the coordinator when hundreds of workers answer at once with small vectors, so that
 * leases, messages and bookkeeping are all there is.
 */

export interface ScaleBench {
  /** One `gan` phase of warmup + steps iterations, with small networks, over gRPC. */
  config: RunConfig;
  workers: number;
  warmup: number;
  signal: AbortSignal;
}

export interface ScaleReport {
  workers: number;
  replicas: number;
  /** CPU time of the coordinator's process for an iteration (median). */
  cpuMs: number;
  /** Of that for each replica: all, and what the coordinator's own code takes, without messages, gRPC and Node.js. */
  replicaMs: { all: number; own: number };
  /** Medians of the first and the second half of the iterations: equal if nothing grows with history. */
  halvesCpuMs: [first: number, second: number];
  /** From one iteration's end to the next (median), on a machine that the workers share. */
  iterationMs: number;
  /** Milliseconds of an iteration that the coordinator's main thread spends in each part, by a sampling profiler. */
  parts: Record<string, number>;
  /** How long `/status.json` took to answer while the run went on, seen from another process. */
  statusMs: { median: number; max: number };
  peakMemoryBytes: number;
}

const term = 1;
const workersAProcess = 64;
const joinCheckMs = 20;

/** Run the coordinator's own training loop in this process with so many workers in a few others. */
// eslint-disable-next-line max-lines-per-function -- a bench’s life, from top to bottom
export async function benchScale({ config, workers, warmup, signal }: ScaleBench): Promise<ScaleReport> {
  // The workers inherit it.
  process.env['FOURFOLD_LOG'] ??= 'warn';
  const log = createLogger('coordinator');
  const { timing } = config;
  const master = createMaster(config);
  const files = await openParameterFiles(config.exchange, master.networks, log);
  const exchange = createExchange(config, files, term, master, log);
  const rules = { timing, workers: { ...config.workers, minimumToStart: workers }, mayGrant: () => true };
  const board = createLeaseBoard<Work, Answer>(term, rules, log);
  const stop = new AbortController();
  const over = AbortSignal.any([signal, stop.signal]);
  const failures = createFailures({ board, stop: (error) => stop.abort(error), latelyMs: timing.patienceMs, log });
  const progress = createProgress(config);
  const status = () => progress.status('training', term, board.workerCount(), master.versions());
  const admit: Parameters<typeof createCoordinatorService>[0]['admit'] = (register) => exchange.connect(register);
  const service = createCoordinatorService({ config, term, board, admit, exchange, status, failures }, log);
  const source: StatusSource = {
    config,
    run: status,
    history: () => progress.history(),
    workers: () => workerStatus(board.seated(), service.workers()),
    checkpoint: () => undefined,
    pictures: () => [],
  };
  const page = await createStatusRoutes(source, { read: noPicture });
  const http = await startHttpServer({
    ...{ listen: '127.0.0.1:0', routes: page.routes, whyNotReady: () => undefined },
    onError: (path, error) => log.error({ event: 'fault', path, err: error }, 'a page failed'),
  });
  const server = await startServer('127.0.0.1:0');
  server.addService(wire.Coordinator.service, service.handlers);
  const timer = setInterval(() => {
    service.heartbeat();
    board.replan();
  }, timing.heartbeatMs);
  const processes = await startWorkers({ config, workers, coordinator: server.address, status: http.address }, stop);
  const ends = createEnds();
  const training = {
    ...{ config, master, board, failures, exchange, progress, log },
    inState: <T>(_state: string, act: () => Promise<T>) => act(),
    checkpoint: async () => true,
    olderGenerator: async () => undefined,
    onUpdate: ends.updated,
  };
  try {
    while (board.workerCount() < workers)
      await delay(joinCheckMs, undefined, { signal: over }).catch(() => over.throwIfAborted());
    const { shares } = await profileThread(() => train(training, over));
    service.close('the bench is over');
    const reports = await Promise.all(processes.map(({ report }) => report));
    await Promise.all(processes.map(({ ended }) => ended));
    return { workers, replicas: config.data.replicas, ...summarizeEnds(ends.all.slice(warmup - 1), shares, reports) };
  } finally {
    clearInterval(timer);
    for (const { child } of processes) child.kill();
    page.close();
    await http.close();
    await server.close();
    await files.close();
    await master.close();
  }
}

const noPicture = () => Promise.reject(new FourfoldError('not-found', 'a bench has no pictures'));

/** When an iteration ended, and what the process had used of the processor until then. */
interface IterationEnd {
  atMs: number;
  cpuMs: number;
}

function createEnds() {
  const all: IterationEnd[] = [];
  return {
    all,
    updated: ({ half }: { half: { network: string } }): void => {
      if (half.network !== 'generator') return;
      const { user, system } = process.cpuUsage();
      all.push({ atMs: performance.now(), cpuMs: (user + system) / 1000 });
    },
  };
}

/** Figures of the iterations between these ends. */
function summarizeEnds(
  ends: readonly IterationEnd[],
  shares: Record<string, number>,
  reports: readonly ScaleWorkersReport[],
): Omit<ScaleReport, 'workers' | 'replicas'> {
  const between = (of: keyof IterationEnd) => ends.slice(1).map((end, i) => end[of] - ends[i][of]);
  const cpu = between('cpuMs');
  const middle = Math.floor(cpu.length / 2);
  const cpuMs = median(cpu);
  const replicas = reports.reduce((sum, { workers }) => sum + workers, 0);
  const own = ownParts.reduce((sum, part) => sum + (shares[part] ?? 0), 0);
  const answers = reports.flatMap(({ statusMs }) => statusMs);
  return {
    cpuMs,
    replicaMs: { all: cpuMs / replicas, own: (own * cpuMs) / replicas },
    halvesCpuMs: [median(cpu.slice(0, middle)), median(cpu.slice(middle))],
    iterationMs: median(between('atMs')),
    parts: Object.fromEntries(Object.entries(shares).map(([part, share]) => [part, share * cpuMs])),
    statusMs: { median: median(answers), max: Math.max(...answers) },
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}

interface WorkersProcess {
  child: ChildProcess;
  ended: Promise<unknown>;
  report: Promise<ScaleWorkersReport>;
}

/** Start the processes of the workers; one that ends with a failure stops the bench. The first one watches the status page. */
async function startWorkers(
  { config, workers, coordinator, status }: { config: RunConfig; workers: number; coordinator: string; status: string },
  stop: AbortController,
): Promise<WorkersProcess[]> {
  const ports = await freePorts(workers);
  const groups = Array.from({ length: Math.ceil(workers / workersAProcess) }, (_, i) =>
    ports.slice(i * workersAProcess, (i + 1) * workersAProcess),
  );
  return groups.map((group, i) => {
    const args = [coordinator, i === 0 ? `http://${status}/status.json` : '', JSON.stringify(config), group.join()];
    const child = fork(new URL('scale-worker.js', import.meta.url), args);
    const report = once(child, 'message').then(([message]) => message as ScaleWorkersReport);
    report.catch(() => undefined);
    const ended = once(child, 'exit').then(([code]) => {
      if (code !== 0) stop.abort(new FourfoldError('unavailable', `workers of the bench ended with code ${code}`));
    });
    return { child, ended, report };
  });
}
