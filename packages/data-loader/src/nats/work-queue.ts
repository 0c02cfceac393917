/** Jobs that are done in order, some at a time. docs/decisions.md says why it is not `p-queue`. */
export interface WorkQueue {
  /** Add a job that somebody waits for; false if too many are waiting. */
  add(job: () => Promise<void>): boolean;
  /** Add a job for when nobody waits. Beyond the limit, the oldest of these gives way. */
  addSpare(job: () => Promise<void>): void;
  /** Drop the jobs that nobody waits for, and accept no more. */
  endSpare(): void;
  /** Jobs being done, and those that somebody waits for. */
  unfinished(): number;
}

/** A queue that does `concurrency` jobs at a time and holds at most `longest` of each kind. Jobs must not fail. */
export function createWorkQueue({ concurrency, longest }: { concurrency: number; longest: number }): WorkQueue {
  const awaited: (() => Promise<void>)[] = [];
  const spare: (() => Promise<void>)[] = [];
  let working = 0;
  let acceptsSpare = true;
  const work = (): void => {
    while (working < concurrency) {
      const job = awaited.shift() ?? spare.shift();
      if (!job) return;
      working++;
      void job().finally(() => {
        working--;
        // Jobs that never wait would otherwise keep the event loop from timers and sockets.
        setImmediate(work);
      });
    }
  };
  return {
    add(job) {
      if (awaited.length >= longest) return false;
      awaited.push(job);
      work();
      return true;
    },
    addSpare(job) {
      if (!acceptsSpare) return;
      spare.push(job);
      if (spare.length > longest) spare.shift();
      work();
    },
    endSpare() {
      acceptsSpare = false;
      spare.length = 0;
    },
    unfinished: () => awaited.length + working,
  };
}
