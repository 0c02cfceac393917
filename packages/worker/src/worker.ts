import { availableParallelism } from 'node:os';
import { addHopMetrics, addTrafficMetrics, startServer, wire } from '@fourfold/rpc';
import {
  createLogger,
  logAbout,
  openPartServer,
  totalIterations,
  unlessAborted,
  withResources,
  type Logger,
  type Own,
  type RunConfig,
  sha256,
} from '@fourfold/common';
import { endOfRun, newestTerm, openStore, runStore, type ObjectStore } from '@fourfold/store';
import {
  addBatchRequestMetrics,
  addBatchSourceMetrics,
  createBatchSource,
  readDatasetManifest,
  type BatchSource,
  type DatasetManifest,
} from '@fourfold/data-loader';
import type { NatsBatchSource } from '@fourfold/data-loader/nats';
import { decoderVersion } from '@fourfold/imaging';
import { createBatchQueue } from './leases/batches.js';
import { startComputeThread, type Compute } from './compute/compute.js';
import { createWorkerExchange } from './exchange/exchange.js';
import { reportWhyNotStarted } from './session/farewell.js';
import { lookAhead } from './session/look-ahead.js';
import { serveUntilOver } from './session/serve-until-over.js';
import { createServing } from './session/serving.js';
import { addBatchWaitMetrics, createWorkerMetrics, type WorkerMetrics } from './session/worker-metrics.js';

export interface WorkerOptions {
  config: RunConfig;
  /** The coordinator's address; by default, that of the run's newest term. */
  coordinator?: string;
  /** host:port from which gradients are pulled; port 0 takes a free one. */
  listen: string;
  /** Where the coordinator reaches it, if that is not where it listens. */
  advertise?: string;
  /** host:port that serves `/healthz`, `/readyz` and `/metrics`; not served if omitted. */
  http?: string;
  /** Aborted to stop early: the worker leaves at once and `runWorker` rejects with the reason. */
  signal: AbortSignal;
}

/**
 * A worker's whole life: start the compute thread, then serve one coordinator after another until the run ends. Rejects with
 * `mismatch` when refused, `unavailable` when no coordinator is found for `timing.patienceMs`, and with the error that makes this
 * worker unfit, which has been reported to the coordinator.
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { config, http } = options;
  logAbout({ run: config.name });
  const log = createLogger('worker');
  await withResources(async (own) => {
    const { compute } = own(startComputeThread(), (thread) => thread.close());
    let term: number | undefined;
    const onTerm = (joined: number | undefined) => (term = joined);
    const metrics = createWorkerMetrics({ run: config.name, term: () => term, memory: () => compute.memory() });
    const whyNotReady = () => (term === undefined ? 'it has not joined a coordinator' : undefined);
    own(await openPartServer(http, log), (server) => server.close()).show({ metrics, whyNotReady });
    let hasStarted = false;
    try {
      await work({ ...options, own, compute, metrics, onTerm, log, onStarted: () => (hasStarted = true) });
    } catch (error) {
      // Once it has joined, its session reports the error.
      if (!hasStarted && !options.signal.aborted) await reportWhyNotStarted(options, error);
      throw error;
    }
  });
}

interface WorkParts extends WorkerOptions {
  own: Own;
  compute: Compute;
  metrics: WorkerMetrics;
  onTerm: (term: number | undefined) => void;
  /** It has what it needs and now looks for a coordinator. */
  onStarted: () => void;
  log: Logger;
}

async function work(parts: WorkParts): Promise<void> {
  const { config, coordinator, listen, advertise, signal, own, compute, metrics, onTerm, onStarted, log } = parts;
  const dataset = openStore(config.dataset);
  const orStopped = <T>(promise: Promise<T>): Promise<T> => unlessAborted(promise, signal);
  const manifest = await orStopped(readDatasetManifest(dataset));
  const datasetSha256 = sha256(await orStopped(dataset.get('manifest.json')));
  const found = await orStopped(lookAhead(config, { decodeMs: 30_000, signal, log }));
  const source = own(await openBatches(parts, dataset, manifest), (source) => source.close());
  const batches = createBatchQueue(source, { ahead: config.batches.ahead, iterations: totalIterations(config) });
  own(batches, () => log.info({ event: 'batches', ...batches.stats(), ...source.stats() }, 'batches'));
  addBatchWaitMetrics(metrics, () => batches.stats());
  const exchange = own(await createWorkerExchange(config, log), (exchange) => exchange.close());
  addTrafficMetrics(metrics, exchange.traffic, { parameters: 'received', gradients: 'sent' });
  const passed = 'Bytes of parameters that this worker has passed on to other workers, along a chain.';
  metrics.counter('fourfold_parameters_passed_bytes_total', passed, [], exchange.passedBytes);
  addHopMetrics(metrics, exchange.counts);
  const server = own(await startServer(listen, { log }), (server) => server.close());
  server.addService(wire.Worker.service, exchange.handlers);
  server.addStream(['coordinator', 'worker'], exchange.stream);
  const started = compute.start(
    config,
    { ...config.workers, threads: threadsOf(config) },
    found.vggBytes,
    found.lpipsBytes,
  );
  const { featureWeights } = found;
  const kind = { ...(await orStopped(started)), decoder: await decoderVersion(), featureWeights };
  log.info({ event: 'started', kind, address: server.address }, 'started');
  onStarted();
  const serveOne = createServing({
    config,
    compute,
    exchange,
    batches,
    kind,
    datasetSha256,
    address: advertise ?? server.address,
    log,
    onComputed: metrics.computed,
    onTerm,
  });
  const find = async () => coordinator ?? (await orStopped(newestTerm(runStore(config))))?.address;
  // It may have started too late to hear of the end.
  const endedAt = () => orStopped(endOfRun(runStore(config)));
  await serveUntilOver({ config, find, serveOne, endedAt, signal, log });
}

/** Where batches come from: data-loaders, or the dataset's shards. */
async function openBatches(
  { config, metrics, log, signal }: WorkParts,
  store: ObjectStore,
  manifest: DatasetManifest,
): Promise<BatchSource | NatsBatchSource> {
  if (config.batches.from === 'nats') {
    const { connectBatchSource } = await import('@fourfold/data-loader/nats');
    const source = await connectBatchSource({ config, manifest, log, signal });
    addBatchRequestMetrics(metrics, () => source.stats());
    return source;
  }
  const source = createBatchSource({ store, manifest, data: config.data, seed: config.seed });
  addBatchSourceMetrics(metrics, manifest, () => source.stats());
  return source;
}

/** Threads to compute with: the configured number, else this worker's share of the machine. */
const threadsOf = ({ workers }: RunConfig): number =>
  workers.threads || Math.max(1, Math.floor(availableParallelism() / workers.count));
