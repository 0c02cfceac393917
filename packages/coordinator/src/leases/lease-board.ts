import { createRepeats, FourfoldError, type FailureCode, type Logger, type TimingConfig } from '@fourfold/common';
import { tokenName, type Token__Output } from '@fourfold/rpc';
import { describeWaiting } from './describe-waiting.js';
import { noLeases, type LeaseCounts } from './lease-counts.js';
import { plan, type GrantReason, type LeaseView, type TaskView } from './plan.js';
import { createUsualTime } from './usual-time.js';

/** Leases that a worker holds: it computes one and prepares the other. */
const leasesAWorker = 2;
const rememberedLeases = 1000;

/** What a task asks a worker for; the board passes it through. */
export interface Task<Work, Result = unknown> {
  key: string;
  /** Lower goes first. */
  priority: number;
  /** Tasks of a kind take about as long; one that takes much longer is also given to an idle worker. */
  kind?: string;
  /** Tasks with the same subject fail for the same reasons. Defaults to `key`. */
  subject?: string;
  /** Logged with the task's events. */
  about?: Readonly<Record<string, unknown>>;
  work: Work;
  /** Called with what a worker has done so far; each call renews the lease. */
  onProgress?: (soFar: Result) => void;
}

/** A worker as the board sees it. */
export interface Seat<Work> {
  /** The worker has the seat with this number. Called before the other methods. */
  taken?(worker: number): void;
  grant(token: Token__Output, leaseMs: number, work: Work): void;
  end(token: Token__Output): void;
  /** Until then it gets nothing while another worker is free. */
  restsUntilMs?: number;
  /** Tell the worker to end for good, and why; it is cut off afterwards. */
  dismiss?(code: FailureCode, reason: string): void;
  /** Cut the worker off; `lost` are its unanswered tasks if it went without a word. */
  drop(reason: string, lost: readonly string[]): void;
}

/** A worker's answer to a lease, while the lease is valid. */
export interface Offer<Result> {
  worker: number;
  token: Token__Output;
  result: Result;
  /** Aborted when the worker is lost. */
  signal: AbortSignal;
}

interface Lease extends LeaseView {
  token: Token__Output;
}

interface Entry<Work, Result> extends Task<Work, Result>, Pick<TaskView, 'preferredWorker' | 'restsUntilMs'> {
  /** The leases with valid tokens. */
  leases: Lease[];
  /** How often it has been granted. */
  grants: number;
  /** Workers that have failed at it, and when each may try again. */
  failedWorkers: Map<number, number>;
  offer?: Offer<Result>;
  lost: AbortController;
  waiting: ((offer: Offer<Result>) => void)[];
}

export interface LeaseBoardOptions {
  timing: Pick<TimingConfig, 'leaseMs' | 'silenceMs' | 'stragglerFactor'>;
  workers: { minimumToStart: number; minimumToContinue: number };
  /** Whether this coordinator may grant leases now. */
  mayGrant: () => boolean;
}

/**
 * The leases of one coordinator: tasks, workers, and fencing tokens between them. `plan` decides; the board carries
 * out. A task has one valid token, or two while its worker is slow; the first answer ends the other.
 */
export function createLeaseBoard<Work, Result>(term: number, options: LeaseBoardOptions, log: Logger) {
  const { timing, workers: minimum, mayGrant } = options;
  const seats = new Map<number, Seat<Work> & { lastSeenMs: number; lastSeenAtMs: number }>();
  const tasks = new Map<string, Entry<Work, Result>>();
  const caches = new Map<number, number>();
  const usual = createUsualTime();
  const counts = noLeases();
  /** `about` of the newest leases, by number: late answers are logged with it. */
  const past = new Map<number, Task<Work>['about']>();
  const repeats = createRepeats();
  let hasStarted = false;

  function find(token: Token__Output): { task: Entry<Work, Result>; lease: Lease } | undefined {
    for (const task of tasks.values()) {
      const lease = task.leases.find((held) => tokenName(held.token) === tokenName(token));
      if (lease) return { task, lease };
    }
    return undefined;
  }

  const end = ({ worker, token }: Lease) => seats.get(worker)?.end(token);

  /** Discard the task's answer. */
  function forgetOffer(task: Entry<Work, Result>): void {
    task.lost.abort();
    task.lost = new AbortController();
    task.offer = undefined;
  }

  function leave(worker: number, reason: string, isSilent = false): void {
    const seat = seats.get(worker);
    if (!seats.delete(worker)) return;
    counts.left++;
    const lost = [...tasks.values()].filter((task) => task.leases.some((lease) => lease.worker === worker));
    const unanswered = lost.filter(({ offer }) => !offer).map(({ key }) => key);
    seat?.drop(reason, isSilent ? unanswered : []);
    for (const task of lost) {
      task.leases = task.leases.filter((lease) => lease.worker !== worker);
      if (task.offer?.worker === worker) forgetOffer(task);
    }
    log.warn({ event: 'worker-lost', worker, reason, leases: lost.map(({ key }) => key) }, 'worker lost');
    replan();
  }

  const viewOf = ({ kind, offer, ...task }: Entry<Work, Result>): TaskView => ({
    ...task,
    isReady: offer !== undefined,
    usualMs: kind === undefined ? undefined : usual.of(kind),
  });

  const minimumWorkers = () => (hasStarted ? minimum.minimumToContinue : minimum.minimumToStart);

  function replan(nowMs = performance.now()): void {
    if (!mayGrant()) return;
    hasStarted ||= seats.size >= minimum.minimumToStart;
    const views = [...seats].map(([id, { lastSeenMs, restsUntilMs }]) => ({ id, lastSeenMs, restsUntilMs }));
    const decisions = plan(nowMs, views, [...tasks.values()].map(viewOf), {
      silenceMs: timing.silenceMs,
      stragglerFactor: timing.stragglerFactor,
      leasesAWorker,
      minimumWorkers: minimumWorkers(),
    });
    const drop = decisions.find((decision) => decision.type === 'drop');
    // Dropping a worker replans, with its tasks open again.
    if (drop) return leave(drop.worker, drop.reason, true);
    for (const decision of decisions) {
      if (decision.type !== 'grant') continue;
      grant(tasks.get(decision.task) as Entry<Work, Result>, decision.worker, decision.because, nowMs);
    }
  }

  // A worker's second lease waits for the first.
  const leaseMs = timing.leaseMs * leasesAWorker;

  function grant(task: Entry<Work, Result>, worker: number, because: GrantReason, nowMs: number): void {
    const token = { term, number: ++counts.granted };
    if (because === 'straggler') counts.straggling++;
    else if (task.grants > 0) counts.moved++;
    task.grants++;
    task.leases.push({ token, worker, grantedMs: nowMs, deadlineMs: nowMs + leaseMs });
    seats.get(worker)?.grant(token, leaseMs, task.work);
    const { key, about } = task;
    past.set(token.number, about);
    past.delete(token.number - rememberedLeases);
    log.debug({ event: 'lease', task: key, ...about, worker, token: tokenName(token), because }, 'lease');
  }

  return {
    /** A worker takes its seat; returns its number. */
    join(seat: Seat<Work>): number {
      const worker = ++counts.joined;
      seat.taken?.(worker);
      seats.set(worker, { ...seat, lastSeenMs: performance.now(), lastSeenAtMs: Date.now() });
      replan();
      return worker;
    },
    /** A worker has left, without a word if `isSilent`. */
    leave,
    /** Make a worker end for good. */
    dismiss(worker: number, code: FailureCode, reason: string): void {
      seats.get(worker)?.dismiss?.(code, reason);
      leave(worker, reason);
    },
    /** Let others get work before a worker until then. */
    rest(worker: number, untilMs: number): void {
      const seat = seats.get(worker);
      if (seat) seat.restsUntilMs = untilMs;
    },
    /** Grant a task to nobody until then. */
    holdBack(key: string, untilMs: number): void {
      const task = tasks.get(key);
      if (task) task.restsUntilMs = untilMs;
    },
    /** The task and the worker of a valid token; undefined for any other. */
    holder(token: Token__Output): { worker: number; task: string; subject: string } | undefined {
      const { task, lease } = find(token) ?? {};
      return task && lease && { worker: lease.worker, task: task.key, subject: task.subject ?? task.key };
    },
    /** Something was heard of a worker. */
    seen(worker: number): void {
      const seat = seats.get(worker);
      if (seat) Object.assign(seat, { lastSeenMs: performance.now(), lastSeenAtMs: Date.now() });
    },
    /** A worker reports progress on a task; late reports are ignored. */
    progress(worker: number, token: Token__Output, soFar: Result): void {
      const { task, lease } = find(token) ?? {};
      if (!task?.onProgress || lease?.worker !== worker || task.offer) return;
      lease.deadlineMs = performance.now() + leaseMs;
      task.onProgress(soFar);
    },
    /** A worker's answer. Returns false, and counts it, if the token is no longer valid. */
    offer(worker: number, token: Token__Output, result: Result): boolean {
      const { task, lease } = find(token) ?? {};
      if (!task || lease?.worker !== worker || task.offer) {
        counts.refused++;
        const about = token.term === term ? past.get(token.number) : undefined;
        log.warn({ event: 'refused', ...about, worker, token: tokenName(token) }, 'late result refused');
        seats.get(worker)?.end(token);
        return false;
      }
      if (task.kind !== undefined) usual.add(task.kind, performance.now() - lease.grantedMs);
      for (const other of task.leases) if (other !== lease) end(other);
      task.leases = [lease];
      task.offer = { worker, token, result, signal: task.lost.signal };
      for (const resolve of task.waiting.splice(0)) resolve(task.offer);
      replan();
      return true;
    },
    /**
     * Add a task. `cache` names what its worker will keep of it: that worker is preferred for later tasks with this
     * `cache`.
     */
    add(task: Task<Work, Result>, cache?: number): void {
      const preferredWorker = cache === undefined ? undefined : caches.get(cache);
      const fresh = {
        leases: [],
        grants: 0,
        failedWorkers: new Map<number, number>(),
        lost: new AbortController(),
        waiting: [],
      };
      tasks.set(task.key, { ...task, ...fresh, preferredWorker });
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
    /**
     * A worker has failed at a task, or its answer was useless: the task is open again, for another worker if there is
     * one, else for this one after a pause. Does nothing if the lease has ended.
     */
    reject(token: Token__Output, reason: string, pauseMs = 0): void {
      const { task, lease } = find(token) ?? {};
      if (!task || !lease) return;
      counts.rejected++;
      const { key, about } = task;
      const { worker } = lease;
      const times = repeats(`${worker} ${reason}`);
      if (times) log.warn({ event: 'rejected', task: key, ...about, worker, reason, times }, 'result rejected');
      end(lease);
      task.failedWorkers.set(worker, performance.now() + pauseMs);
      task.leases = task.leases.filter((other) => other !== lease);
      if (task.offer) forgetOffer(task);
      replan();
    },
    /** A task's answer has been used; `cache` as in `add`. */
    finish(key: string, cache?: number): void {
      const task = tasks.get(key);
      if (!task?.offer) throw new FourfoldError('conflict', `${key} has no holder`);
      task.leases.forEach(end);
      if (cache !== undefined) caches.set(cache, task.offer.worker);
      tasks.delete(key);
    },
    /** Remove all tasks; their leases end. */
    clear(): void {
      for (const { leases } of tasks.values()) leases.forEach(end);
      tasks.clear();
    },
    /** Describes what unanswered tasks wait for. */
    describeWaiting: () => describeWaiting(seats.size, minimumWorkers(), [...tasks.values()].map(viewOf)),
    workerCount: () => seats.size,
    counts: (): Readonly<LeaseCounts> => counts,
    /** The seated workers, when each was last heard of (Unix time), and the keys of its unanswered tasks. */
    seated: () =>
      [...seats].map(([worker, { lastSeenAtMs }]) => {
        const leased = [...tasks.values()].filter(
          ({ offer, leases }) => !offer && leases.some((lease) => lease.worker === worker),
        );
        return { worker, lastSeenAtMs, tasks: leased.map(({ key }) => key) };
      }),
  };
}

export type LeaseBoard<Work, Result> = ReturnType<typeof createLeaseBoard<Work, Result>>;
