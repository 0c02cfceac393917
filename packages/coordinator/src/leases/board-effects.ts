import { FourfoldError, type FailureCode, type Logger } from '@fourfold/common';
import type { Token__Output } from '@fourfold/rpc';
import type { Effect } from './board-events.js';
import { wholeLeaseMs, type BoardRules, type TaskFacts } from './board-state.js';
import { createLeaseLog } from './lease-log.js';

/** What a task asks a worker for; the board passes it through. */
export interface Task<Work, Result = unknown> extends TaskFacts {
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
  /** Where it runs: workers of one host get neighbouring tasks. */
  host?: string;
  /** Tell the worker to end for good, and why; it is cut off afterwards. */
  dismiss?(code: FailureCode, reason: string): void;
  /** Cut the worker off; `lost` are its unanswered tasks if it left without a message. */
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

/** A task's callbacks and its answer. */
interface Entry<Work, Result> extends Task<Work, Result> {
  offer?: Offer<Result>;
  /** Aborts the offer's signal. */
  lost: AbortController;
  waiting: ((offer: Offer<Result>) => void)[];
}

/** A pull that a loss ends fails as any other does whose worker is gone. */
const workerLost = () => new FourfoldError('unavailable', 'its worker was lost');

/**
 * Carries out the lease board's effects. `seats` and `entries` are the workers and the owners of tasks outside the board;
 * `replan` lets it plan.
 */
export function createEffects<Work, Result>(rules: BoardRules, log: Logger, replan: () => void) {
  const seats = new Map<number, Seat<Work> & { lastSeenAtMs: number }>();
  const entries = new Map<string, Entry<Work, Result>>();
  const writeLog = createLeaseLog(rules.term, log);

  function carryOutOne(effect: Effect<Result>): void {
    switch (effect.type) {
      case 'drop': {
        const seat = seats.get(effect.worker);
        seats.delete(effect.worker);
        seat?.drop(effect.reason, effect.lost);
        break;
      }
      case 'grant': {
        const entry = entries.get(effect.task);
        if (entry) seats.get(effect.worker)?.grant(effect.token, wholeLeaseMs(rules), entry.work);
        break;
      }
      case 'end':
        seats.get(effect.worker)?.end(effect.token);
        break;
      case 'tell-progress':
        entries.get(effect.task)?.onProgress?.(effect.soFar);
        break;
      case 'deliver':
        deliver(effect);
        break;
      case 'discard':
        discard(effect.task);
        break;
      case 'plan':
        replan();
        break;
      case 'log-refused':
      case 'log-rejected':
        break;
    }
    writeLog(effect, (task) => entries.get(task)?.about);
  }

  function deliver({ task, worker, token, result }: Extract<Effect<Result>, { type: 'deliver' }>): void {
    const entry = entries.get(task);
    if (!entry) return;
    entry.offer = { worker, token, result, signal: entry.lost.signal };
    for (const resolve of entry.waiting.splice(0)) resolve(entry.offer);
  }

  function discard(task: string): void {
    const entry = entries.get(task);
    if (!entry) return;
    entry.lost.abort(workerLost());
    entry.lost = new AbortController();
    entry.offer = undefined;
  }

  /** A receiver may call the board again: it sees the state after the whole event. */
  const carryOut = (effects: readonly Effect<Result>[]): void => effects.forEach(carryOutOne);

  return { seats, entries, carryOut };
}
