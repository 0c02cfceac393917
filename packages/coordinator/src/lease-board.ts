import { FourfoldError, tokenName, type Logger, type TimingConfig, type Token__Output } from '@fourfold/common';
import { plan, type TaskView } from './plan.js';

/** Leases that a worker has in hand: one that it computes, one that it prepares. */
const leasesAWorker = 2;

/** What a task asks a worker for; the board passes it through. */
export interface Task<Work> {
  key: string;
  /** Lower goes first. */
  priority: number;
  work: Work;
}

/** A worker as the board sees it. */
export interface Seat<Work> {
  grant(token: Token__Output, leaseMs: number, work: Work): void;
  end(token: Token__Output): void;
  /** Cut the worker off; `left` is called by the board itself. */
  drop(reason: string): void;
}

/** A worker's answer to a lease, while the lease is valid. */
export interface Offer<Result> {
  worker: number;
  token: Token__Output;
  result: Result;
  /** Aborted when the worker is lost. */
  signal: AbortSignal;
}

interface Entry<Work, Result> extends Task<Work>, TaskView {
  token?: Token__Output;
  offer?: Offer<Result>;
  lost: AbortController;
  waiting: ((offer: Offer<Result>) => void)[];
}

/**
 * The leases of one coordinator: tasks on one side, workers on the other, and fencing tokens between them. `plan`
 * decides; the board carries out. At most one token a task is valid at any time.
 */
export function createLeaseBoard<Work, Result>(
  term: number,
  timing: Pick<TimingConfig, 'leaseMs' | 'silenceMs'>,
  log: Logger,
  mayGrant: () => boolean,
) {
  const seats = new Map<number, Seat<Work> & { lastSeenMs: number }>();
  const tasks = new Map<string, Entry<Work, Result>>();
  const caches = new Map<number, number>();
  let tokens = 0;
  let workers = 0;
  let refused = 0;

  const byToken = (token: Token__Output) =>
    [...tasks.values()].find((task) => task.token && tokenName(task.token) === tokenName(token));

  function reopen(task: Entry<Work, Result>): void {
    task.lost.abort();
    Object.assign(task, {
      status: 'open',
      worker: undefined,
      token: undefined,
      offer: undefined,
      lost: new AbortController(),
    });
  }

  function leave(worker: number, reason: string): void {
    const seat = seats.get(worker);
    if (!seats.delete(worker)) return;
    seat?.drop(reason);
    const lost = [...tasks.values()].filter((task) => task.worker === worker && task.status !== 'done');
    for (const task of lost) reopen(task);
    log.warn({ event: 'worker-lost', worker, reason, leases: lost.map(({ key }) => key) }, 'worker lost');
    replan();
  }

  function replan(nowMs = performance.now()): void {
    if (!mayGrant()) return;
    const views = [...seats].map(([id, { lastSeenMs }]) => ({ id, lastSeenMs }));
    const decisions = plan(nowMs, views, [...tasks.values()], { silenceMs: timing.silenceMs, leasesAWorker });
    const drop = decisions.find((decision) => decision.type === 'drop');
    // Dropping a worker plans anew, with its tasks open again.
    if (drop) return leave(drop.worker, drop.reason);
    for (const decision of decisions) {
      if (decision.type === 'grant') grant(tasks.get(decision.task) as Entry<Work, Result>, decision.worker, nowMs);
    }
  }

  function grant(task: Entry<Work, Result>, worker: number, nowMs: number): void {
    task.token = { term, number: ++tokens };
    // The second lease in hand waits for the first.
    const leaseMs = timing.leaseMs * leasesAWorker;
    Object.assign(task, { status: 'leased', worker, deadlineMs: nowMs + leaseMs });
    seats.get(worker)?.grant(task.token, leaseMs, task.work);
    log.debug({ event: 'lease', task: task.key, worker, token: tokenName(task.token) }, 'lease');
  }

  return {
    /** A worker takes its seat; returns its number. */
    join(seat: Seat<Work>): number {
      const worker = ++workers;
      seats.set(worker, { ...seat, lastSeenMs: performance.now() });
      replan();
      return worker;
    },
    leave,
    /** Something was heard of a worker. */
    seen(worker: number): void {
      const seat = seats.get(worker);
      if (seat) seat.lastSeenMs = performance.now();
    },
    /** A worker's answer. Returns false, and counts it, when the token is not valid any more. */
    offer(worker: number, token: Token__Output, result: Result): boolean {
      const task = byToken(token);
      if (!task || task.worker !== worker || task.status !== 'leased') {
        refused++;
        log.warn({ event: 'refused', worker, token: tokenName(token) }, 'late result refused');
        seats.get(worker)?.end(token);
        return false;
      }
      task.status = 'ready';
      task.offer = { worker, token, result, signal: task.lost.signal };
      for (const resolve of task.waiting.splice(0)) resolve(task.offer);
      replan();
      return true;
    },
    /** Put a task up; `cache` names what its worker will keep of it, so that it gets the same cache's tasks again. */
    add(task: Task<Work>, cache?: number): void {
      const preferredWorker = cache === undefined ? undefined : caches.get(cache);
      tasks.set(task.key, { ...task, status: 'open', preferredWorker, lost: new AbortController(), waiting: [] });
    },
    replan,
    /** The next valid answer to a task. Rejects when `signal` is aborted. */
    async nextOffer(key: string, signal: AbortSignal): Promise<Offer<Result>> {
      const task = tasks.get(key);
      if (!task) throw new Error(`no task ${key}`);
      signal.throwIfAborted();
      if (task.offer) return task.offer;
      return new Promise((resolve, reject) => {
        const abort = () => reject(signal.reason as Error);
        signal.addEventListener('abort', abort, { once: true });
        task.waiting.push((offer) => {
          signal.removeEventListener('abort', abort);
          resolve(offer);
        });
      });
    },
    /** An answer was of no use: its task is open again, unless it has moved on meanwhile. */
    reject(token: Token__Output, reason: string): void {
      const task = byToken(token);
      if (!task) return;
      log.warn({ event: 'rejected', task: task.key, worker: task.worker, reason }, 'result rejected');
      if (task.worker !== undefined) seats.get(task.worker)?.end(token);
      reopen(task);
      replan();
    },
    /** A task's answer has been taken over; `cache` as in `add`. */
    finish(key: string, cache?: number): void {
      const task = tasks.get(key);
      if (!task?.token || task.worker === undefined) throw new FourfoldError('conflict', `${key} has no holder`);
      seats.get(task.worker)?.end(task.token);
      if (cache !== undefined) caches.set(cache, task.worker);
      tasks.delete(key);
    },
    /** Take all tasks down; their leases end. */
    clear(): void {
      for (const { token, worker } of tasks.values()) {
        if (token && worker !== undefined) seats.get(worker)?.end(token);
      }
      tasks.clear();
    },
    workerCount: () => seats.size,
    refusedCount: () => refused,
  };
}

export type LeaseBoard<Work, Result> = ReturnType<typeof createLeaseBoard<Work, Result>>;
