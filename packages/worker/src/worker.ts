import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createLogger,
  FourfoldError,
  newestTerm,
  openStore,
  runStore,
  sha256,
  startServer,
  wire,
  type RunConfig,
} from '@fourfold/common';
import { createBatchSource, readDatasetManifest } from '@fourfold/data-loader';
import { startComputeThread } from './compute.js';
import { createWorkerExchange } from './exchange.js';
import { createServing } from './serving.js';

export interface WorkerOptions {
  config: RunConfig;
  /** Where the coordinator is; without it, where the run's newest term says. */
  coordinator?: string;
  /** host:port from which gradients are pulled; port 0 takes a free one. */
  listen: string;
  /** Aborted to stop early: the worker leaves at once and `runWorker` rejects with the reason. */
  signal: AbortSignal;
}

const retryMs = { first: 100, longest: 2_000 };

/**
 * A worker's whole life: start the compute thread, then serve one coordinator after the other until the run ends.
 * Rejects with `mismatch` when refused, `unavailable` when no coordinator is found for `timing.patienceMs`.
 */
export async function runWorker({ config, coordinator, listen, signal }: WorkerOptions): Promise<void> {
  const log = createLogger('worker');
  const dataset = openStore(config.dataset);
  const manifest = await readDatasetManifest(dataset);
  const datasetSha256 = sha256(await dataset.get('manifest.json'));
  const source = createBatchSource({ store: dataset, manifest, data: config.data, seed: config.seed });
  const { compute, close } = startComputeThread();
  const exchange = await createWorkerExchange(config.exchange, log);
  const server = await startServer(listen);
  server.addService(wire.Worker.service, exchange.handlers);
  try {
    const vggBytes = config.vgg ? await readObject(config.vgg) : undefined;
    const kind = await compute.start(config, { ...config.workers, threads: threadsOf(config) }, vggBytes);
    log.info({ event: 'started', kind, address: server.address }, 'started');
    const serveOne = createServing({
      config,
      compute,
      exchange,
      source,
      kind,
      datasetSha256,
      address: server.address,
      log,
    });
    let aloneSinceMs = performance.now();
    for (let waitMs = retryMs.first; ; waitMs = Math.min(retryMs.longest, waitMs * 2)) {
      const address = coordinator ?? (await newestTerm(runStore(config)))?.address;
      if (address) {
        const { joined, ended, reason } = await serveOne(address, signal);
        if (ended) return;
        log.warn({ event: 'coordinator-lost', address, reason }, 'coordinator lost');
        if (joined) [aloneSinceMs, waitMs] = [performance.now(), retryMs.first];
      }
      if (performance.now() - aloneSinceMs > config.timing.patienceMs) {
        throw new FourfoldError(
          'unavailable',
          `no coordinator of run ${config.name} was found for ${config.timing.patienceMs} ms`,
          {
            mend: 'start one with `fourfold coordinator`',
          },
        );
      }
      await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  } finally {
    source.close();
    await server.close();
    await exchange.close();
    await close();
  }
}

/** Threads to compute with: the configured number, else this worker's share of the machine. */
const threadsOf = ({ workers }: RunConfig): number =>
  workers.threads || Math.max(1, Math.floor(availableParallelism() / workers.count));

/** An object by its own URL. */
async function readObject(url: string): Promise<Buffer> {
  const cut = url.lastIndexOf('/');
  return openStore(url.slice(0, cut)).get(url.slice(cut + 1));
}
