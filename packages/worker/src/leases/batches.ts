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

/** A batch that is not changed until it is released, once. */
export interface HeldBatch {
  batch: Promise<Batch>;
  release(this: void): void;
}

interface Asked {
  iteration: number;
  batch: Promise<Batch>;
  hasArrived: boolean;
  holders: number;
  /** Nobody will hold it any more. */
  isDropped: boolean;
  cancel: () => void;
}

/** Batches ahead of need: each is requested as soon as it is likely to be needed, and kept while it may be. */
export interface BatchQueue {
  /** The batch of a lease that is computed now, until it is released. */
  hold(iteration: number, replica: number): HeldBatch;
  /** Start loading the batch of a waiting lease. */
  prepare(iteration: number, replica: number): void;
  /** A replica's iteration is done: start loading its next batches. */
  done(iteration: number, replica: number): void;
  stats(): BatchWaits;
}

// eslint-disable-next-line max-lines-per-function -- short functions that share what is prepared
export function createBatchQueue(
  source: Pick<BatchSource, 'batch' | 'reuse'>,
  { ahead, iterations }: BatchQueueOptions,
): BatchQueue {
  const asked = new Map<string, Asked>();
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
    const cancel = () => unwanted.abort(new Error('nobody needs it'));
    const entry: Asked = { iteration, batch, hasArrived: false, holders: 0, isDropped: false, cancel };
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
    for (const [key, entry] of asked) {
      const { iteration: other } = entry;
      if (other >= iteration - 1 && other <= iteration + ahead + 1) continue;
      asked.delete(key);
      entry.isDropped = true;
      entry.cancel();
      reuseIfFree(entry);
    }
  };
  /** A batch that failed has nothing to be used again. */
  const reuseIfFree = ({ isDropped, holders, batch }: Asked) => {
    if (isDropped && holders === 0) batch.then(source.reuse, () => undefined);
  };
  const counted = async ({ batch, hasArrived }: Asked): Promise<Batch> => {
    stats.batches++;
    if (hasArrived) return batch;
    stats.waits++;
    const wait = { begunMs: performance.now() };
    waits.add(wait);
    try {
      return await batch;
    } finally {
      waits.delete(wait);
      stats.waitedSeconds += secondsOf(wait);
    }
  };
  return {
    hold(iteration, replica) {
      const entry = ask(iteration, replica);
      entry.holders++;
      return {
        batch: counted(entry),
        release() {
          entry.holders--;
          reuseIfFree(entry);
        },
      };
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
