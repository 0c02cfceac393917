import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createLogger, FourfoldError, startServer, wire, type RunConfig } from '@fourfold/common';
import {
  createCoordinatorService,
  createLeaseBoard,
  createMaster,
  createProgress,
  train,
  type Answer,
  type Master,
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
  /** Bytes to and from the coordinator an iteration. */
  gradientBytes: number;
  parameterBytes: number;
}

const term = 1;
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
  const { master, traffic } = measureMaster(inner, laps);
  const board = createLeaseBoard<Work, Answer>(term, config.timing, log, () => true);
  const progress = createProgress(config);
  const stop = new AbortController();
  const service = createCoordinatorService(
    {
      config,
      term,
      board,
      admit: () => undefined,
      parameters: (network, version) => master.serve(network, version),
      status: () => progress.status('training', term, board.workerCount(), master.versions()),
      stop: (reason) => stop.abort(new FourfoldError('unavailable', reason)),
    },
    log,
  );
  const server = await startServer('127.0.0.1:0');
  server.addService(wire.Coordinator.service, service.handlers);
  const timer = setInterval(() => service.heartbeat(), config.timing.heartbeatMs);
  const children = Array.from({ length: workers }, () => startWorker(server.address, config, stop));
  const training = { config, master, board, progress, log, checkpoint: async () => undefined, inState };
  try {
    await train(training, AbortSignal.any([signal, stop.signal]));
    service.close('the bench is over');
    await Promise.all(children.map(({ ended }) => ended));
  } finally {
    clearInterval(timer);
    for (const { process } of children) process.kill();
    await server.close();
    await inner.close();
  }
  const measured = traffic.slice(warmup);
  const mean = (bytesOf: (bytes: Traffic) => number) =>
    measured.reduce((sum, bytes) => sum + bytesOf(bytes), 0) / measured.length;
  return {
    ...summarize(laps.iterations.slice(warmup)),
    parameters: inner.networks.reduce((sum, network) => sum + inner.layout(network).parameterCount, 0),
    gradientBytes: mean(({ gradients }) => gradients),
    parameterBytes: mean(({ parameters }) => parameters),
  };
}

const inState = <T>(_state: string, act: () => Promise<T>): Promise<T> => act();

interface Traffic {
  gradients: number;
  parameters: number;
}

/** A master that tells when gradients arrive and updates end, and counts the bytes that cross in each iteration. */
function measureMaster(inner: Master, laps: Laps): { master: Master; traffic: readonly Traffic[] } {
  const traffic: Traffic[] = [];
  const bytes: Traffic = { gradients: 0, parameters: 0 };
  const master: Master = {
    ...inner,
    updater: {
      ...inner.updater,
      accumulate(state, begin, chunk, first) {
        if (first && begin === 0) laps.lap('parameters');
        bytes.gradients += chunk.byteLength;
        return inner.updater.accumulate(state, begin, chunk, first);
      },
    },
    async update(network, learningRate) {
      laps.lap('gradients');
      await inner.update(network, learningRate);
      laps.lap('adam');
      if (network === 'discriminator') return;
      laps.endIteration();
      traffic.push({ ...bytes });
      Object.assign(bytes, { gradients: 0, parameters: 0 });
    },
    serve(network, version) {
      const served = inner.serve(network, version);
      bytes.parameters += served?.vector.byteLength ?? 0;
      return served;
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
