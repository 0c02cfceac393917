import type { Batch, BatchSource } from '@fourfold/data-loader';

/** Batches ahead of need: each is asked for as soon as it is likely to be wanted, and kept while it may be. */
export function createBatchQueue(source: Pick<BatchSource, 'batch'>) {
  const asked = new Map<string, { iteration: number; batch: Promise<Batch> }>();
  const get = (iteration: number, replica: number): Promise<Batch> => {
    const key = `${iteration}.${replica}`;
    const found = asked.get(key);
    if (found) return found.batch;
    for (const [other, { iteration: old }] of asked) if (Math.abs(iteration - old) > 1) asked.delete(other);
    const batch = source.batch(iteration, replica);
    // Whoever awaits the batch hears of its failure; a batch that nobody awaits fails silently.
    batch.catch(() => asked.delete(key));
    asked.set(key, { iteration, batch });
    return batch;
  };
  return {
    get,
    /** Begin to load a batch. */
    prepare: (iteration: number, replica: number): void => void get(iteration, replica),
  };
}

export type BatchQueue = ReturnType<typeof createBatchQueue>;
