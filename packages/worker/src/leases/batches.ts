import type { Batch, BatchSource } from '@fourfold/data-loader';

export interface BatchQueueOptions {
  /** For how many iterations after a finished one its replica's batches are requested. */
  ahead: number;
  /** How many iterations the run has. */
  iterations: number;
}

/** How long a worker waited for batches. */
export interface BatchWaits {
  /** Leases that needed one. */
  batches: number;
  /** Of them, those whose batch had not arrived when it was needed. */
  waits: number;
  /** Includes current waits: an endless wait must show. */
  waitedSeconds: number;
}

/** Batches ahead of need: each is requested as soon as it is likely to be needed, and kept while it may be. */
export interface BatchQueue {
  /** The batch of a lease that is computed now. */
  get(iteration: number, replica: number): Promise<Batch>;
  /** Start loading the batch of a waiting lease. */
  prepare(iteration: number, replica: number): void;
  /** A replica's iteration is done: start loading its next batches. */
  done(iteration: number, replica: number): void;
  stats(): BatchWaits;
}

// eslint-disable-next-line max-lines-per-function -- short functions that share what is prepared
export function createBatchQueue(
  source: Pick<BatchSource, 'batch'>,
  { ahead, iterations }: BatchQueueOptions,
): BatchQueue {
  const asked = new Map<string, { iteration: number; batch: Promise<Batch>; hasArrived: boolean; drop: () => void }>();
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
    const entry = { iteration, batch, hasArrived: false, drop: () => unwanted.abort(new Error('nobody needs it')) };
    // A failure reaches those who await the batch; a batch that nobody awaits fails silently.
    batch.then(
      () => (entry.hasArrived = true),
      () => asked.get(key) === entry && asked.delete(key),
    );
    asked.set(key, entry);
    return entry;
  };
  /** Drop batches that a worker at this iteration cannot need soon. A resumed run may repeat iterations. */
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
      if (entry.hasArrived) return entry.batch;
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
