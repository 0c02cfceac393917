import { setMaxListeners } from 'node:events';
import { createRepeats, startWaitReports, type Logger, type RunConfig } from '@fourfold/common';
import type { Batch } from '../batches/batch.js';
import { decoderVersion } from '@fourfold/imaging';
import type { DatasetManifest } from '../prepare/manifest.js';
import type { BatchRequestStats } from './ask-loaders.js';
import { followLoaders } from './loader-directory.js';
import { giveMemoryBack } from './message-memory.js';
import { batchesDigest, batchSubjects } from './protocol.js';

/** Batches that data-loaders make. */
export interface NatsBatchSource {
  /** The batch of a replica (from 0) at an iteration (from 0). Waits while no data-loader runs; throws what is wrong with the dataset. */
  batch(iteration: number, replica: number, signal?: AbortSignal): Promise<Batch>;
  /** Take back a batch that nobody reads any more: its memory is used again. */
  reuse(this: void, batch: Batch): void;
  stats(): BatchRequestStats;
  close(): Promise<void>;
}

export interface NatsBatchSourceOptions {
  config: RunConfig;
  manifest: DatasetManifest;
  log: Logger;
  /** Aborted to stop waiting for NATS at the start. */
  signal: AbortSignal;
}

interface Waiting {
  iteration: number;
  replica: number;
  sinceMs: number;
}

/** After a data-loader was late, others are asked first for this many times `lateMs`. */
const avoidFactor = 5;

/**
 * A source that asks the data-loaders of the same run, dataset, seed and data config. Long waits for a batch are logged. Throws
 * as `connectToNats` does.
 */
export async function connectBatchSource({
  config,
  manifest,
  log,
  signal,
}: NatsBatchSourceOptions): Promise<NatsBatchSource> {
  const { name, data, seed, batches, timing } = config;
  const { lateMs, announceMs } = batches;
  // NATS's client is loaded only for runs whose batches come over it.
  const [{ connectToNats }, { askLoaders }] = await Promise.all([
    import('./connection.js'),
    import('./ask-loaders.js'),
  ]);
  const link = await connectToNats({
    environment: process.env,
    name: `worker of ${name}`,
    patienceMs: timing.patienceMs,
    log,
    signal,
  });
  const subjects = batchSubjects(name, batchesDigest(manifest, data, seed, await decoderVersion()));
  const following = { replicas: data.replicas, announceMs, avoidMs: avoidFactor * lateMs, log };
  const directory = followLoaders(link.connection, subjects, following);
  const shape = { count: data.globalBatch / data.replicas, crop: data.crop };
  const stats: BatchRequestStats = { received: 0, bytes: 0, moved: 0, late: 0, refusedReplies: 0 };
  const repeats = createRepeats();
  const closed = new AbortController();
  // Each pending batch listens.
  setMaxListeners(0, closed.signal, link.failed);
  const waits = reportOldest(({ iteration, replica, sinceMs }, batches) => {
    const { live, foreign } = directory.counts();
    const reason = link.whyDown() ?? reasonOf(live, foreign);
    const waitedMs = Math.round(performance.now() - sinceMs);
    const fields = { iteration, replica, waitedMs, batches, loaders: live, foreign, reason };
    log.warn({ event: 'batches-waiting', ...fields }, `waiting for the batch ${iteration}.${replica}`);
  });
  return {
    async batch(iteration, replica, stop) {
      const entry = { iteration, replica, sinceMs: performance.now() };
      waits.begin(entry);
      try {
        const signals = [closed.signal, link.failed, ...(stop ? [stop] : [])];
        const parts = { link, directory, subjects, shape, lateMs, stats, repeats, log };
        return await askLoaders(parts, { iteration, replica }, signals);
      } finally {
        waits.end(entry);
      }
    },
    reuse: ({ hr }) => giveMemoryBack(hr),
    stats: () => ({ ...stats }),
    async close() {
      waits.stop();
      closed.abort(new Error('the source of batches is closed'));
      await link.close();
    },
  };
}

/** Call `say` from time to time with the oldest of the waits that go on, and their number. */
function reportOldest(say: (oldest: Waiting, count: number) => void) {
  const waiting = new Set<Waiting>();
  let reported: Waiting | undefined;
  let stop = () => undefined as void;
  const follow = () => {
    const [oldest] = waiting;
    if (oldest === reported) return;
    stop();
    reported = oldest;
    if (oldest) stop = startWaitReports(() => say(oldest, waiting.size));
  };
  return {
    begin(wait: Waiting): void {
      waiting.add(wait);
      follow();
    },
    end(wait: Waiting): void {
      waiting.delete(wait);
      follow();
    },
    stop: () => stop(),
  };
}

function reasonOf(live: number, foreign: number): string {
  if (live > 0) return 'no data-loader has answered yet';
  return foreign > 0
    ? 'all data-loaders have a different dataset, seed, data config or program version'
    : 'no data-loader is running; start one with `fourfold data-loader`';
}
