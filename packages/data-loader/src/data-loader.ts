import { setTimeout as delay } from 'node:timers/promises';
import {
  createLogger,
  createMetrics,
  logAbout,
  openPartServer,
  untilAborted,
  withResources,
  type RunConfig,
} from '@fourfold/common';
import { decoderVersion } from '@fourfold/imaging';
import { isRunOver, openStore, runStore } from '@fourfold/store';
import { addBatchServiceMetrics, addBatchSourceMetrics } from './batches/batch-metrics.js';
import { createBatchSource } from './batches/batch-source.js';
import { tryShardCache } from './shards/cache-trial.js';
import { readDatasetManifest } from './prepare/manifest.js';
import type { BatchService } from './nats/batch-service.js';
import type { NatsLink } from './nats/connection.js';
import { batchesDigest, batchSubjects } from './nats/protocol.js';

export interface DataLoaderOptions {
  config: RunConfig;
  /** host:port that serves `/healthz`, `/readyz` and `/metrics`; not served if omitted. */
  http?: string;
  /** End with the run instead of staying for later requests. */
  untilFinished?: boolean;
  /** Aborted to stop: pending requests are still answered, then `runDataLoader` rejects with the reason. */
  signal: AbortSignal;
}

/** How often a data-loader checks whether its run has ended. */
const endCheckMs = 5_000;

/**
 * A data-loader's whole life: open the dataset, connect to NATS, make batches on request until it is stopped, or with
 * `untilFinished` until the run has ended. Rejects with `refused` if NATS refuses it, and as `createBatchSource` does.
 */
export async function runDataLoader({ config, http, untilFinished, signal }: DataLoaderOptions): Promise<void> {
  const { name, data, seed, timing, batches } = config;
  logAbout({ run: name });
  const log = createLogger('data-loader');
  const store = openStore(config.dataset);
  const manifest = await readDatasetManifest(store);
  await tryShardCache(config);
  // NATS's client is loaded where it is used: workers import this package, too.
  const [{ addCertificateMetrics }, { connectToNats }, { startBatchService }] = await Promise.all([
    import('@fourfold/rpc'),
    import('./nats/connection.js'),
    import('./nats/batch-service.js'),
  ]);
  await withResources(async (own) => {
    const source = own(createBatchSource({ store, manifest, data, seed }), (source) => source.close());
    /** Filled in as it starts. */
    const reached: { link?: NatsLink; service?: BatchService } = {};
    const metrics = createMetrics(name);
    addBatchSourceMetrics(metrics, manifest, () => source.stats());
    addBatchServiceMetrics(metrics, () => reached.service?.stats());
    addCertificateMetrics(metrics);
    const madeSeconds = metrics.seconds('fourfold_batch_seconds', 'Time in which a batch is made.', {});
    const server = own(await openPartServer(http, log), (server) => server.close());
    server.show({ metrics, whyNotReady: () => whyNotReady(reached) });
    const { patienceMs } = timing;
    const nats = { environment: process.env, name: `data-loader of ${name}`, patienceMs, log, signal };
    const link = own(await connectToNats(nats), (link) => link.close());
    reached.link = link;
    const digest = batchesDigest(manifest, data, seed, await decoderVersion());
    const { announceMs } = batches;
    const onMade = (seconds: number) => madeSeconds({}, seconds);
    const service = startBatchService({ link, subjects: batchSubjects(name, digest), source, announceMs, onMade, log });
    reached.service = service;
    own(service, (service) => {
      const { shards, pictures } = source.stats();
      log.info({ event: 'stopped', ...service.stats(), shards: shards.loads, pictures: pictures.loads }, 'stopped');
    });
    logAbout({ loader: service.id });
    log.info({ event: 'started', digest }, 'started');
    const over = AbortSignal.any([signal, link.failed]);
    await (untilFinished ? runEnd(config, over) : untilAborted(over));
    link.failed.throwIfAborted();
    log.info({ event: 'draining' }, 'draining');
    await service.drain();
    signal.throwIfAborted();
  });
}

function whyNotReady({ link, service }: { link?: NatsLink; service?: BatchService }): string | undefined {
  if (!link || !service) return 'NATS has not been reached yet';
  if (service.isDraining()) return 'it is draining';
  const reason = link.whyDown();
  return reason && `NATS cannot be reached: ${reason}`;
}

/** Resolves when the run is over or the signal is aborted. */
async function runEnd(config: RunConfig, signal: AbortSignal): Promise<void> {
  const run = runStore(config);
  while (!signal.aborted && !(await isRunOver(run, config))) {
    await delay(endCheckMs, undefined, { signal }).catch(() => undefined);
  }
}
