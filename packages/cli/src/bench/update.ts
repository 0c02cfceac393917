import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLogger, FourfoldError, type RunConfig } from '@fourfold/common';
import { startServer, wire, type Traffic, type Transport } from '@fourfold/rpc';
import {
  createCoordinatorService,
  createExchange,
  createFailures,
  createLeaseBoard,
  createMaster,
  createProgress,
  openParameterFiles,
  train,
  type Answer,
  type Master,
  type Work,
} from '@fourfold/coordinator';
import { freePorts } from '../servers/index.js';
import { networkWires } from '@fourfold/weights';
import { createLaps, summarize, type Timing } from './laps.js';
import { checkSum, digestAfterWire } from './update-check.js';
import type { BenchHosts } from './update-hosts.js';
import { measureUse, type Use } from './update-use.js';
import { measureExchange, measureMaster, sentOf } from './update-measurement.js';

export interface UpdateBench {
  /** One `gan` phase of warmup + steps iterations. */
  config: RunConfig;
  workers: number;
  warmup: number;
  /** Round trip of a network between coordinator and workers; without it they are on this host. */
  roundTripMs?: number;
  /** Each worker on a host of its own. */
  hosts?: BenchHosts;
  signal: AbortSignal;
}

export interface UpdateReport extends Timing, Use {
  /** Trained elements of both networks. */
  parameters: number;
  /** Bytes to and from the coordinator per iteration, by transport; shared memory counts once for all workers. */
  gradientBytes: Record<Transport, number>;
  parameterBytes: Record<Transport, number>;
  /** From the parts' medians: gradients while they are pulled and reduced, parameters until a gradient begins to arrive. */
  megabytesPerSecond: { gradients: number; parameters: number };
  /** Of this process, the coordinator's. */
  peakMemoryBytes: number;
}

const term = 1;
const joinCheckMs = 20;
const pathOf = (module: string) => new URL(`${module}.js`, import.meta.url);

/**
 * Time the synchronous update of both networks alone: the coordinator's own training loop in this process, and worker processes
 * whose gradients are ready at once. Parts: `publish` until workers may ask for parameters, `parameters` until a new gradient
 * begins to arrive, `pulling` while waiting for one, or for the chain's sum, `reducing` while adding one, `adam`. Throws `corrupt` if sums or
 * parameters differ from what was sent.
 */
// eslint-disable-next-line max-lines-per-function -- a bench’s life, from top to bottom
export async function benchUpdate(bench: UpdateBench): Promise<UpdateReport> {
  const { config, workers, warmup, roundTripMs, hosts, signal } = bench;
  // The workers inherit it.
  process.env['FOURFOLD_LOG'] ??= 'warn';
  const log = createLogger('coordinator');
  const laps = createLaps(() => performance.now());
  const inner = createMaster(config);
  const files = await openParameterFiles(config.exchange, inner.networks, log);
  const real = createExchange(config, files, term, inner, log);
  const exchange = measureExchange(real, laps);
  const { iterations } = config.phases[0];
  let use = await measureUse(hosts);
  const { master, traffic, lastGenerator } = measureMaster(inner, laps, real.traffic, iterations, async (done) => {
    if (done !== warmup) return;
    use = await measureUse(hosts);
    laps.start();
  });
  const { timing, workers: minimum } = config;
  const board = createLeaseBoard<Work, Answer>(term, { timing, workers: minimum, mayGrant: () => true }, log);
  const progress = createProgress(config);
  const stop = new AbortController();
  const failures = createFailures({ board, stop: (error) => stop.abort(error), latelyMs: timing.patienceMs, log });
  const service = createCoordinatorService(
    {
      config,
      term,
      board,
      admit: (register) => exchange.connect(register),
      exchange,
      status: () => progress.status('training', term, board.workerCount(), master.versions()),
      failures,
    },
    log,
  );
  const server = await startServer(`${hosts?.addresses[0] ?? '127.0.0.1'}:0`);
  server.addService(wire.Coordinator.service, service.handlers);
  server.addStream('worker', exchange.stream);
  const timer = setInterval(() => service.heartbeat(), config.timing.heartbeatMs);
  const listens = (await freePorts(workers)).map((port, i) => `${hosts?.addresses[i + 1] ?? '127.0.0.1'}:${port}`);
  const network = await startNetwork([server.address, ...listens], roundTripMs);
  const [coordinator, ...advertised] = network.addresses;
  const children = listens.map((listen, i) =>
    startWorker([coordinator, listen, advertised[i], JSON.stringify(config)], stop, hosts?.command(i)),
  );
  const training = {
    ...{ config, master, board, failures, exchange, progress, log, inState },
    checkpoint: async () => true,
    olderGenerator: async () => undefined,
  };
  const over = AbortSignal.any([signal, stop.signal]);
  let used: Use;
  try {
    while (board.workerCount() < workers)
      await delay(joinCheckMs, undefined, { signal: over }).catch(() => over.throwIfAborted());
    laps.start();
    await train(training, over);
    used = await use(iterations - warmup);
    service.close('the bench is over');
    const digests = await Promise.all(children.map(({ digests }) => digests));
    await Promise.all(children.map(({ ended }) => ended));
    checkResults(config, inner, digests, lastGenerator());
  } finally {
    clearInterval(timer);
    network.process?.kill();
    for (const { process } of children) process.kill();
    await server.close();
    await real.close();
    await files.close();
    await inner.close();
  }
  const measured = summarize(laps.iterations.slice(warmup));
  return {
    ...measured,
    parameters: inner.networks.reduce((sum, name) => sum + inner.layout(name).parameterCount, 0),
    ...transferred(traffic, warmup, measured),
    ...used,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** Throws `corrupt` if a sum is wrong, or a worker's parameters (by the digests that it sent) are not the coordinator's. */
function checkResults(
  config: RunConfig,
  master: Master,
  digests: readonly Record<string, string>[],
  lastGenerator: Float32Array,
): void {
  for (const name of master.networks) {
    checkSum(config, master, name);
    const vector = name === 'generator' ? lastGenerator : sentOf(master.state(name));
    const expected = digestAfterWire(networkWires(config)[name].parameters, vector);
    if (digests.some((found) => found[name] !== expected))
      throw new FourfoldError('corrupt', `a worker’s ${name} parameters differ from the coordinator’s`);
  }
}

/** What the measured iterations have transferred, and how fast; `traffic` is the sum after each iteration. */
function transferred(
  traffic: readonly Traffic[],
  warmup: number,
  { parts }: Timing,
): Pick<UpdateReport, 'gradientBytes' | 'parameterBytes' | 'megabytesPerSecond'> {
  const [before, after] = [traffic[warmup - 1], traffic[traffic.length - 1]];
  const mean = (direction: keyof Traffic) => {
    const by = (transport: Transport) =>
      (after[direction][transport] - before[direction][transport]) / (traffic.length - warmup);
    return { 'shared-memory': by('shared-memory'), stream: by('stream'), grpc: by('grpc') };
  };
  const [gradientBytes, parameterBytes] = [mean('gradients'), mean('parameters')];
  const rate = (bytes: Record<Transport, number>, ms: number) =>
    Object.values(bytes).reduce((sum, count) => sum + count, 0) / 1e3 / ms;
  return {
    gradientBytes,
    parameterBytes,
    megabytesPerSecond: {
      gradients: rate(gradientBytes, parts['pulling'] + parts['reducing']),
      parameters: rate(parameterBytes, parts['publish'] + parts['parameters']),
    },
  };
}

const inState = <T>(_state: string, act: () => Promise<T>): Promise<T> => act();

/** Addresses that reach `targets`: the targets themselves, or proxies in a separate process that imitate a network. */
async function startNetwork(
  targets: string[],
  roundTripMs: number | undefined,
): Promise<{ addresses: string[]; process?: ChildProcess }> {
  if (roundTripMs === undefined) return { addresses: targets };
  const proxy = fork(pathOf('update-proxy'), [String(roundTripMs), ...targets]);
  const [addresses] = (await once(proxy, 'message')) as [string[]];
  return { addresses, process: proxy };
}

interface BenchWorker {
  process: ChildProcess;
  ended: Promise<unknown>;
  /** Digests of its newest parameters by network, sent when it ends. */
  digests: Promise<Record<string, string>>;
}

/** A worker process; one that ends with a failure stops the bench. */
function startWorker(
  args: string[],
  stop: AbortController,
  [program, ...before]: readonly string[] = [process.execPath],
): BenchWorker {
  const child = spawn(program, [...before, fileURLToPath(pathOf('update-worker')), ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    if (code !== 0) stop.abort(new FourfoldError('unavailable', `a worker of the bench ended with code ${code}`));
  });
  const digests = new Promise<Record<string, string>>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Record<string, string>));
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error));
  });
  // Nothing awaits it until all have ended.
  digests.catch(() => undefined);
  return { process: child, ended, digests };
}
