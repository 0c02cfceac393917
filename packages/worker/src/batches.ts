import type { Batch, BatchSource } from '@fourfold/data-loader';

export interface BatchQueueOptions {
  /** For how many iterations after one that is done its replica's batches are asked for. */
  ahead: number;
  /** How many iterations the run has. */
  iterations: number;
}

/** How long a worker waited for batches. */
export interface BatchWaits {
  /** Leases that needed one. */
  batches: number;
  /** Of them, those that were not there yet when they were needed. */
  waits: number;
  /** Those that wait now included: a wait without end must be seen. */
  waitedSeconds: number;
}

/** Batches ahead of need: each is asked for as soon as it is likely to be wanted, and kept while it may be. */
export interface BatchQueue {
  /** The batch for a lease that is computed now. */
  get(iteration: number, replica: number): Promise<Batch>;
  /** Begin to load the batch of a lease that waits. */
  prepare(iteration: number, replica: number): void;
  /** A replica's iteration is done: begin to load what comes after it. */
  done(iteration: number, replica: number): void;
  stats(): BatchWaits;
}

export function createBatchQueue(
  source: Pick<BatchSource, 'batch'>,
  { ahead, iterations }: BatchQueueOptions,
): BatchQueue {
  const asked = new Map<string, { iteration: number; batch: Promise<Batch>; isThere: boolean; drop: () => void }>();
  const stats: BatchWaits = { batches: 0, waits: 0, waitedSeconds: 0 };
  /** Waits that have not ended. */
  const waits = new Set<{ begunMs: number }>();
  const secondsOf = ({ begunMs }: { begunMs: number }) => (performance.now() - begunMs) / 1000;

  const ask = (iteration: number, replica: number) => {
    const key = `${iteration}.${replica}`;
    const found = asked.get(key);
    if (found) return found;
    const unwanted = new AbortController();
    const batch = source.batch(iteration, replica, unwanted.signal);
    const entry = { iteration, batch, isThere: false, drop: () => unwanted.abort(new Error('nobody wants it')) };
    // Whoever awaits the batch hears of its failure; a batch that nobody awaits fails silently.
    batch.then(
      () => (entry.isThere = true),
      () => asked.get(key) === entry && asked.delete(key),
    );
    asked.set(key, entry);
    return entry;
  };
  /** Forget what a worker at this iteration cannot need soon. The iterations of a resumed run begin anew. */
  const keepNear = (iteration: number) => {
    for (const [key, { iteration: other, drop }] of asked) {
      if (other >= iteration - 1 && other <= iteration + ahead + 1) continue;
      asked.delete(key);
      drop();
    }
  };
  return {
    async get(iteration, replica) {
      const entry = ask(iteration, replica);
      stats.batches++;
      if (entry.isThere) return entry.batch;
      stats.waits++;
      const wait = { begunMs: performance.now() };
      waits.add(wait);
      try {
        return await entry.batch;
      } finally {
        waits.delete(wait);
        stats.waitedSeconds += secondsOf(wait);
      }
    },
    prepare(iteration, replica) {
      keepNear(iteration);
      ask(iteration, replica);
    },
    done(iteration, replica) {
      const last = Math.min(iteration + ahead, iterations - 1);
      for (let next = iteration + 1; next <= last; next++) ask(next, replica);
    },
    stats: () => ({
      ...stats,
      waitedSeconds: [...waits].reduce((sum, wait) => sum + secondsOf(wait), stats.waitedSeconds),
    }),
  };
}
