import { openStore } from '@fourfold/store';
import type { RunConfig } from '@fourfold/common';
import { createBatchSource, readDatasetManifest, type BatchSourceStats } from '@fourfold/data-loader';

export interface LoaderReport extends BatchSourceStats {
  seconds: number;
  cropsPerSecond: number;
}

/** Make the batches of all replicas of a run's first iterations, one after another, and report the speed. */
export async function benchLoader(config: RunConfig, iterations: number, signal: AbortSignal): Promise<LoaderReport> {
  const store = openStore(config.dataset);
  const manifest = await readDatasetManifest(store);
  const source = createBatchSource({ store, manifest, data: config.data, seed: config.seed });
  const begunMs = performance.now();
  for (let iteration = 0; iteration < iterations; iteration++) {
    for (let replica = 0; replica < config.data.replicas; replica++) await source.batch(iteration, replica, signal);
  }
  const seconds = (performance.now() - begunMs) / 1000;
  source.close();
  const stats = source.stats();
  return { ...stats, seconds, cropsPerSecond: stats.crops / seconds };
}
