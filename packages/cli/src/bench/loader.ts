import { createWriteStream } from 'node:fs';
import { devNull } from 'node:os';
import { createLogger, FourfoldError, withDeadline, type RunConfig } from '@fourfold/common';
import { openStore } from '@fourfold/store';
import {
  createBatchSource,
  readDatasetManifest,
  type Batch,
  type BatchSourceStats,
  type Encoding,
} from '@fourfold/data-loader';
import { connectBatchSource } from '@fourfold/data-loader/nats';
import { stringify } from 'yaml';
import { startClusterServers } from '../servers/index.js';
import { startPart } from '../train/child.js';
import { endError } from '../train/part-end.js';

export interface LoaderBench {
  config: RunConfig;
  over: 'local' | 'nats';
  iterations: number;
  /** Batches that are asked for at the same time. */
  ahead: number;
  signal: AbortSignal;
}

export interface LoaderReport {
  over: LoaderBench['over'];
  encoding: Encoding;
  crops: number;
  seconds: number;
  cropsPerSecond: number;
  /** CPU time of this process, which over NATS only receives, for a thousand crops. */
  cpuSecondsPerThousand: number;
  /** CPU time of the data-loader for a thousand crops, over NATS. */
  loaderCpuSecondsPerThousand?: number;
  /** What was opened and decoded and where the time went, locally. */
  source?: BatchSourceStats;
}

/** Anything that gives batches. */
interface Source {
  batch(iteration: number, replica: number, signal?: AbortSignal): Promise<Batch>;
  reuse(batch: Batch): void;
}

/** Batches before the measurement: shards are opened, and code is compiled. */
const warmupIterations = 5;

/** Get the batches of all replicas of a run's first iterations, several at a time, and report the speed. */
export async function benchLoader(bench: LoaderBench): Promise<LoaderReport> {
  return bench.over === 'nats' ? benchOverNats(bench) : benchLocal(bench);
}

async function benchLocal(bench: LoaderBench): Promise<LoaderReport> {
  const { dataset, data, seed } = bench.config;
  const store = openStore(dataset);
  const manifest = await readDatasetManifest(store);
  const source = createBatchSource({ store, manifest, data, seed });
  try {
    const measured = await measure(source, bench);
    return { over: 'local', encoding: manifest.encoding, ...measured, source: source.stats() };
  } finally {
    source.close();
  }
}

/** A data-loader in a process of its own, a NATS server with TLS, and this process as the worker. */
async function benchOverNats(bench: LoaderBench): Promise<LoaderReport> {
  const { config, signal } = bench;
  const manifest = await readDatasetManifest(openStore(config.dataset));
  const servers = await startClusterServers();
  try {
    // The dataset stays where the environment says.
    const onlyNats = (environment: Record<string, string>) =>
      Object.fromEntries(Object.entries(environment).filter(([key]) => /^FOURFOLD_(NATS|TLS)_/.test(key)));
    const loader = startLoader(config, onlyNats(servers.environment('data-loader')));
    Object.assign(process.env, { FOURFOLD_LOG: 'warn' }, onlyNats(servers.environment('worker')));
    const address = await withDeadline(loader.address, startMs, () => {
      throw new FourfoldError('unavailable', `the data-loader has not started within ${startMs / 1000} s`);
    });
    const source = await connectBatchSource({ config, manifest, log: createLogger('bench'), signal });
    try {
      const before = { cpuSeconds: 0 };
      const measuring = measure(source, bench, async () => (before.cpuSeconds = await cpuSecondsOf(address)));
      // A data-loader that ends would be waited for as long as NATS is.
      const measured = await Promise.race([measuring, loader.ended]);
      const loaderCpuSeconds = (await cpuSecondsOf(address)) - before.cpuSeconds;
      const loaderCpuSecondsPerThousand = (1000 * loaderCpuSeconds) / measured.crops;
      return { over: 'nats', encoding: manifest.encoding, ...measured, loaderCpuSecondsPerThousand };
    } finally {
      await source.close();
      await loader.stop();
    }
  } finally {
    await servers.stop();
  }
}

/** How long a data-loader may take to start, to answer a scrape, and to stop. */
const startMs = 60_000;
const scrapeMs = 10_000;
const stopMs = 10_000;

/** Start a data-loader with the config on its standard input; `address` is where its metrics are, `ended` rejects when it ends. */
function startLoader(config: RunConfig, environment: Record<string, string>) {
  let onAddress: (address: string) => void;
  const listening = new Promise<string>((resolve) => (onAddress = resolve));
  const args = ['--config', '-', '--http', '127.0.0.1:0'];
  const start = { environment: { ...environment, FOURFOLD_LOG: 'info' }, input: stringify(config) };
  const { process, exit } = startPart('data-loader', args, start, createWriteStream(devNull), (line) => {
    if (line.event === 'http') onAddress(String(line.address));
  });
  const ended = exit.then((end): never => {
    throw endError(end);
  });
  ended.catch(() => undefined);
  return {
    address: Promise.race([listening, ended]),
    ended,
    async stop() {
      process.kill('SIGTERM');
      await withDeadline(exit, stopMs, () => process.kill('SIGKILL'));
    },
  };
}

/** Ask for batches in their order, `ahead` of them at a time; `onWarm` is awaited before the measurement begins. */
async function measure(source: Source, bench: LoaderBench, onWarm: () => Promise<unknown> = () => Promise.resolve()) {
  const { config, iterations, ahead, signal } = bench;
  const { replicas, globalBatch } = config.data;
  const get = async (begin: number, end: number) => {
    let next = begin * replicas;
    const ask = async () => {
      for (let i = next++; i < end * replicas; i = next++) {
        source.reuse(await source.batch(Math.floor(i / replicas), i % replicas, signal));
      }
    };
    await Promise.all(Array.from({ length: ahead }, ask));
  };
  await get(0, warmupIterations);
  await onWarm();
  const begunMs = performance.now();
  const cpu = process.cpuUsage();
  await get(warmupIterations, warmupIterations + iterations);
  const seconds = (performance.now() - begunMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const crops = iterations * globalBatch;
  return { crops, seconds, cropsPerSecond: crops / seconds, cpuSecondsPerThousand: (user + system) / 1000 / crops };
}

/** The CPU time of a part so far, from its metrics. */
async function cpuSecondsOf(address: string): Promise<number> {
  const text = await (await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(scrapeMs) })).text();
  return Number(/^process_cpu_seconds_total(?:\{.*\})? (\S+)$/m.exec(text)?.[1]);
}
