import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger, FourfoldError, startServer, wire, type RunConfig } from '@fourfold/common';
import {
  createCoordinatorService,
  createExchange,
  createLeaseBoard,
  createMaster,
  createProgress,
  train,
  type Answer,
  type Master,
  type Traffic,
  type Transport,
  type Work,
} from '@fourfold/coordinator';
import { createLaps, summarize, type Laps, type Timing } from './laps.js';

export interface UpdateBench {
  /** One `gan` phase of warmup + steps iterations, and as many replicas as workers. */
  config: RunConfig;
  workers: number;
  warmup: number;
  signal: AbortSignal;
}

export interface UpdateReport extends Timing {
  /** Trained elements of both networks. */
  parameters: number;
  /** Bytes to and from the coordinator an iteration, by what they crossed in: what is shared counts once for all workers. */
  gradientBytes: Record<Transport, number>;
  parameterBytes: Record<Transport, number>;
}

const term = 1;
const joinCheckMs = 20;
const workerPath = new URL('update-worker.js', import.meta.url);

/**
 * Time the synchronous update of both networks alone: the coordinator's own training loop in this process, and worker
 * processes whose gradients are there at once. Parts: `parameters` until replica 0's new gradient begins to arrive,
 * `gradients` pulled and reduced, `adam`.
 */
export async function benchUpdate({ config, workers, warmup, signal }: UpdateBench): Promise<UpdateReport> {
  // The workers inherit it.
  process.env['FOURFOLD_LOG'] ??= 'warn';
  const log = createLogger('coordinator');
  const laps = createLaps(() => performance.now());
  const inner = createMaster(config);
  const exchange = await createExchange(config.exchange, term, inner, log);
  const { master, traffic } = measureMaster(inner, laps, exchange.traffic);
  const board = createLeaseBoard<Work, Answer>(term, config.timing, log, () => true);
  const progress = createProgress(config);
  const stop = new AbortController();
  const service = createCoordinatorService(
    {
      config,
      term,
      board,
      admit: () => undefined,
      exchange,
      status: () => progress.status('training', term, board.workerCount(), master.versions()),
      stop: (reason) => stop.abort(new FourfoldError('unavailable', reason)),
    },
    log,
  );
  const server = await startServer('127.0.0.1:0');
  server.addService(wire.Coordinator.service, service.handlers);
  const timer = setInterval(() => service.heartbeat(), config.timing.heartbeatMs);
  const children = Array.from({ length: workers }, () => startWorker(server.address, config, stop));
  const training = { config, master, board, exchange, progress, log, checkpoint: async () => undefined, inState };
  const ended = AbortSignal.any([signal, stop.signal]);
  try {
    while (board.workerCount() < workers)
      await delay(joinCheckMs, undefined, { signal: ended }).catch(() => ended.throwIfAborted());
    await train(training, ended);
    service.close('the bench is over');
    await Promise.all(children.map(({ ended }) => ended));
  } finally {
    clearInterval(timer);
    for (const { process } of children) process.kill();
    await server.close();
    await exchange.close();
    await inner.close();
  }
  const [before, after] = [traffic[warmup - 1], traffic[traffic.length - 1]];
  const mean = (direction: keyof Traffic) => {
    const by = (transport: Transport) =>
      (after[direction][transport] - before[direction][transport]) / (traffic.length - warmup);
    return { 'shared-memory': by('shared-memory'), grpc: by('grpc') };
  };
  return {
    ...summarize(laps.iterations.slice(warmup)),
    parameters: inner.networks.reduce((sum, network) => sum + inner.layout(network).parameterCount, 0),
    gradientBytes: mean('gradients'),
    parameterBytes: mean('parameters'),
  };
}

const inState = <T>(_state: string, act: () => Promise<T>): Promise<T> => act();

/** A master that tells when gradients arrive and updates end, and notes the traffic at each iteration's end. */
function measureMaster(
  inner: Master,
  laps: Laps,
  current: Readonly<Traffic>,
): { master: Master; traffic: readonly Traffic[] } {
  const traffic: Traffic[] = [];
  const master: Master = {
    ...inner,
    updater: {
      ...inner.updater,
      accumulate(state, begin, chunk, first) {
        if (first && begin === 0) laps.lap('parameters');
        return inner.updater.accumulate(state, begin, chunk, first);
      },
      accumulateShared(state, range, replica) {
        if (replica === 0 && range.begin === 0) laps.lap('parameters');
        return inner.updater.accumulateShared(state, range, replica);
      },
    },
    async update(network, learningRate) {
      laps.lap('gradients');
      await inner.update(network, learningRate);
      laps.lap('adam');
      if (network === 'discriminator') return;
      laps.endIteration();
      traffic.push(structuredClone(current));
    },
  };
  return { master, traffic };
}

/** A worker process; one that ends with a failure stops the bench. */
function startWorker(
  coordinator: string,
  config: RunConfig,
  stop: AbortController,
): { process: ChildProcess; ended: Promise<unknown> } {
  const child = fork(workerPath, [coordinator, JSON.stringify(config)]);
  const ended = once(child, 'exit').then(([code]) => {
    if (code !== 0) stop.abort(new FourfoldError('unavailable', `a worker of the bench ended with code ${code}`));
  });
  return { process: child, ended };
}
