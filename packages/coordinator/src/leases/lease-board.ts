import { unlessAborted, type FailureCode, type Logger, type TimingConfig } from '@fourfold/common';
import type { Token__Output } from '@fourfold/rpc';
import { createEffects, type Offer, type Seat, type Task } from './board-effects.js';
import type { BoardEvent, Effect } from './board-events.js';
import { emptyBoard, findLease, unanswered } from './board-state.js';
import { describeWaiting } from './describe-waiting.js';
import type { LeaseCounts } from './lease-counts.js';
import { reduce } from './reduce.js';

export interface LeaseBoardOptions {
  timing: Pick<TimingConfig, 'leaseMs' | 'silenceMs' | 'stragglerFactor'>;
  workers: { minimumToStart: number; minimumToContinue: number };
  /** Whether this coordinator may grant leases now. */
  mayGrant: () => boolean;
}

export type LeaseBoard<Work, Result> = ReturnType<typeof createLeaseBoard<Work, Result>>;

/**
 * The leases of one coordinator: tasks, workers, and fencing tokens between them. `plan` decides who gets what, `reduce`
 * what each event means, `createEffects` carries it out; the board holds the state.
 */
// eslint-disable-next-line max-lines-per-function -- many methods of a few lines each
export function createLeaseBoard<Work, Result>(term: number, options: LeaseBoardOptions, log: Logger) {
  const { leaseMs, silenceMs, stragglerFactor } = options.timing;
  const rules = { term, leaseMs, silenceMs, stragglerFactor, ...options.workers };
  let state = emptyBoard(rules);
  const { seats, entries, carryOut } = createEffects<Work, Result>(rules, log, () => replan());

  /** Go to the next state. Its effects are still to be carried out. */
  function advance(event: BoardEvent<Result>, nowMs = performance.now()): readonly Effect<Result>[] {
    const step = reduce(state, event, nowMs);
    state = step.state;
    return step.effects;
  }

  const dispatch = (event: BoardEvent<Result>): void => carryOut(advance(event));

  function replan(nowMs = performance.now()): void {
    if (options.mayGrant()) carryOut(advance({ type: 'planned' }, nowMs));
  }

  /** Something was heard of a worker. */
  function seen(worker: number): void {
    const seat = seats.get(worker);
    if (seat) seat.lastSeenAtMs = Date.now();
    dispatch({ type: 'seen', worker });
  }

  function leave(worker: number, reason: string, isSilent = false): void {
    dispatch({ type: 'left', worker, reason, isSilent });
  }

  return {
    /** A worker takes its seat; returns its number. */
    join(seat: Seat<Work>): number {
      const effects = advance({ type: 'joined', restsUntilMs: seat.restsUntilMs, host: seat.host });
      const worker = state.counts.joined;
      seats.set(worker, { ...seat, lastSeenAtMs: Date.now() });
      seat.taken?.(worker);
      carryOut(effects);
      return worker;
    },
    /** A worker has left, without a message if `isSilent`. */
    leave,
    /** Make a worker end for good. */
    dismiss(worker: number, code: FailureCode, reason: string): void {
      seats.get(worker)?.dismiss?.(code, reason);
      leave(worker, reason);
    },
    /** Let others get work before a worker until then. */
    rest: (worker: number, untilMs: number): void => dispatch({ type: 'rested', worker, untilMs }),
    /** Grant a task to nobody until then. */
    holdBack: (task: string, untilMs: number): void => dispatch({ type: 'held-back', task, untilMs }),
    /** The task and the worker of a valid token; undefined for any other. */
    holder(token: Token__Output): { worker: number; task: string; subject: string } | undefined {
      const { task, lease } = findLease(state, token) ?? {};
      return task && lease && { worker: lease.worker, task: task.key, subject: task.subject ?? task.key };
    },
    seen,
    /** A worker reports progress on a task; late reports are ignored. */
    progress(worker: number, token: Token__Output, soFar: Result): void {
      dispatch({ type: 'progressed', worker, token, soFar });
    },
    /** A worker's answer. Returns false, and counts it, if the token is no longer valid. */
    offer(worker: number, token: Token__Output, result: Result): boolean {
      const effects = advance({ type: 'answered', worker, token, result });
      carryOut(effects);
      return effects.some(({ type }) => type === 'deliver');
    },
    /**
     * Add a task. `cache` names what its worker will keep of it: that worker is preferred for later tasks with this
     * `cache`.
     */
    add(task: Task<Work, Result>, cache?: number): void {
      const { key, priority, kind, subject, about, place, onProgress } = task;
      entries.set(key, { ...task, lost: new AbortController(), waiting: [] });
      const facts = { key, priority, kind, subject, about, place };
      dispatch({ type: 'added', task: facts, hasProgress: onProgress !== undefined, cache });
    },
    replan,
    /** The next valid answer to a task. Rejects when `signal` is aborted. */
    async nextOffer(key: string, signal: AbortSignal): Promise<Offer<Result>> {
      const entry = entries.get(key);
      if (!entry) throw new Error(`no task ${key}`);
      signal.throwIfAborted();
      if (entry.offer) return entry.offer;
      return unlessAborted(new Promise<Offer<Result>>((resolve) => entry.waiting.push(resolve)), signal);
    },
    /**
     * A worker has failed at a task, or its answer was unusable: the task is open again, for another worker if there is
     * one, else for this one after a pause. Does nothing if the lease has ended.
     */
    reject(token: Token__Output, reason: string, pauseMs = 0): void {
      dispatch({ type: 'rejected', token, reason, pauseMs });
    },
    /** A task's answer has been used; `cache` as in `add`. */
    finish(key: string, cache?: number): void {
      dispatch({ type: 'finished', task: key, cache });
      entries.delete(key);
    },
    /** Remove all tasks; their leases end. */
    clear(): void {
      dispatch({ type: 'cleared' });
      entries.clear();
    },
    /** Describes what unanswered tasks wait for. */
    describeWaiting: () => describeWaiting(state, performance.now()),
    workerCount: () => state.seats.size,
    counts: (): Readonly<LeaseCounts> => state.counts,
    /** The seated workers, when each was last heard of (Unix time), and the keys of its unanswered tasks. */
    seated: () => {
      const keys = unanswered(state);
      return [...seats].map(([worker, { lastSeenAtMs }]) => ({ worker, lastSeenAtMs, tasks: keys.get(worker) ?? [] }));
    },
  };
}
