import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type ObjectStore } from '@fourfold/store';
import { parseRunConfig, type Logger, type RunConfig } from '@fourfold/common';
import { createBatchSource, prepare, prepareDefaults, type Batch, type DatasetManifest } from '@fourfold/data-loader';
import { connectBatchSource, type NatsBatchSource } from '@fourfold/data-loader/nats';
import { startNats, type LocalNats } from '@fourfold/local-servers';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { withEnvironment } from './environment.js';
import { killAll, photographs, startFourfold, type LogEvent, type Process } from './process.js';

/** A dataset of several shards, and what tests of data-loaders start with it. */
export interface BatchBed {
  manifest: DatasetManifest;
  /** The dataset's object store. */
  dataset: ObjectStore;
  config: RunConfig;
  configPath: string;
  /** Makes the batches as a worker without NATS does. */
  local: { batch(iteration: number, replica: number): Promise<Batch> };
  /** A `fourfold data-loader` that announces itself; `settings` are `key=value` of its config. */
  startLoader(settings?: string[], args?: string[]): Promise<Process & { id: string }>;
  /** A worker's side of the wire, and what it logs. */
  connectClient(environment: Record<string, string>, changes?: Partial<RunConfig>): Promise<Client>;
  remove(): Promise<void>;
}

/** `toEqual` compares bytes one by one, which keeps this process from reading answers for seconds. */
export function expectSameBatch(batch: Batch, expected: Batch): void {
  const { hr, lr, ...rest } = expected;
  expect(batch).toMatchObject(rest);
  expect([Buffer.compare(batch.hr, hr), Buffer.compare(batch.lr, lr)]).toEqual([0, 0]);
}

export interface Client {
  source: NatsBatchSource;
  events: LogEvent[];
}

/** Unless a test is about lateness, nobody is late, even on a busy machine. */
const lateMs = 60_000;
/** Data-loaders announce themselves often, to be found soon; a worker counts them as silent after three times the longer of these. */
const announceMs = { loaders: 200, workers: 20_000 };

const raw = (dataset: string) => ({
  name: 'batches',
  dataset,
  seed: 5,
  data: { globalBatch: 8, replicas: 4, crop: 96, windowPictures: 8, cropsPerPicture: 1, flips: true },
  phases: [{ kind: 'mse', iterations: 100, learningRate: 1e-4 }],
  loss: { content: 'mse' },
  batches: { from: 'nats', lateMs, announceMs: announceMs.loaders },
  timing: { patienceMs: 120_000 },
});

export async function prepareBatchBed(): Promise<BatchBed> {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-batches-'));
  const dataset = openStore(join(folder, 'dataset'));
  const images = join(photographs, 'train');
  const options = { ...prepareDefaults, images, name: 'batches', tile: 240, shardSizeBytes: 2 ** 20 };
  const { manifest } = await prepare({ ...options, store: dataset, encoding: 'pixels' });
  // Data-loaders read pixels; what they send is compared with the batches of PNGs.
  const encoded = openStore(join(folder, 'encoded'));
  const { manifest: encodedManifest } = await prepare({ ...options, store: encoded, encoding: 'keep' });
  const config = parseRunConfig(raw(dataset.url), 'the test');
  const configPath = join(folder, 'config.yaml');
  await writeFile(configPath, JSON.stringify(raw(dataset.url)));
  const { data, seed } = config;
  const local = createBatchSource({ store: encoded, manifest: encodedManifest, data, seed });
  const made = new Map<string, Promise<Batch>>();
  return {
    manifest,
    dataset,
    config,
    configPath,
    local: {
      batch(iteration, replica) {
        const key = `${iteration}.${replica}`;
        const batch = made.get(key) ?? local.batch(iteration, replica);
        made.set(key, batch);
        return batch;
      },
    },
    async startLoader(settings = [], args = []) {
      const sets = settings.flatMap((setting) => ['--set', setting]);
      const loader = startFourfold(['data-loader', '--config', configPath, ...sets, ...args]);
      const { loader: id } = await loader.waitFor(({ event }) => event === 'started', 'a data-loader');
      return { ...loader, id: id as string };
    },
    async connectClient(environment, changes = {}) {
      const events: LogEvent[] = [];
      const signal = new AbortController().signal;
      const own = { ...config, ...changes };
      const patient = { ...own, batches: { ...own.batches, announceMs: announceMs.workers } };
      const options = { config: patient, manifest, log: recorder(events), signal };
      return { source: await withEnvironment(environment, () => connectBatchSource(options)), events };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A logger that keeps its events. */
function recorder(events: LogEvent[]): Logger {
  const record = (fields: LogEvent) => void events.push(fields);
  return { debug: record, info: record, warn: record, error: record } as unknown as Logger;
}

interface ObservedRequest {
  subject: string;
  loader: string;
  replica: number;
  iteration: number;
}

/** All requests to any data-loader, as seen by another NATS client. */
export async function observeRequests(nats: LocalNats): Promise<{
  connection: NatsConnection;
  requests: ObservedRequest[];
}> {
  const connection = await connect({ servers: nats.address });
  const requests: ObservedRequest[] = [];
  connection.subscribe('fourfold.*.*.loader.*.batch', {
    callback: (_, message) =>
      void requests.push({
        subject: message.subject,
        loader: message.subject.split('.')[4],
        ...message.json<{ replica: number; iteration: number }>(),
      }),
  });
  await connection.flush();
  return { connection, requests };
}

/** What tests of data-loaders do, with a fresh nats-server for each test. To be called in a `describe`. */
export function useBatchServices() {
  let bed: BatchBed;
  let nats: LocalNats;
  let environment: Record<string, string>;
  const closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    bed = await prepareBatchBed();
  });
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
    await killAll();
    delete process.env['FOURFOLD_NATS_URL'];
  });
  afterAll(() => bed.remove());
  return {
    bed: () => bed,
    nats: () => nats,
    /** Start a nats-server that data-loaders and clients find. */
    async start(this: void, configuration?: string): Promise<void> {
      nats = await startNats(configuration);
      closing.push(() => nats.stop());
      environment = { FOURFOLD_NATS_URL: `nats://${nats.address}` };
      Object.assign(process.env, environment);
    },
    /** A worker's side of the wire. */
    async client(this: void, changes: Partial<RunConfig> = {}): Promise<Client> {
      const made = await bed.connectClient(environment, changes);
      closeAtEnd(() => made.source.close());
      return made;
    },
    closeAtEnd,
    /** A worker gets the batches of these iterations, and they are right. */
    async expectBatches(
      this: void,
      { source }: Client,
      begin: number,
      end: number,
      replicas = [0, 1, 2, 3],
    ): Promise<void> {
      for (let iteration = begin; iteration < end; iteration++) {
        await Promise.all(
          replicas.map(async (replica) => {
            expectSameBatch(await source.batch(iteration, replica), await bed.local.batch(iteration, replica));
          }),
        );
      }
    },
  };
  function closeAtEnd(close: () => Promise<void>): void {
    closing.unshift(close);
  }
}
