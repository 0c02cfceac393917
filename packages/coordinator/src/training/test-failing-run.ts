/*
 * A run whose workers fail, by a clock that the test moves.
 */

import { createLogger, FourfoldError, type FailureCode } from '@fourfold/common';
import type { Token__Output } from '@fourfold/rpc';
import { afterEach, beforeEach, vi } from 'vitest';
import type { ReportedFailure } from './failure-state.js';
import { createFailures, type Failures } from './failures.js';
import { createLeaseBoard, type LeaseBoard } from '../leases/lease-board.js';

const timing = { leaseMs: 60_000_000, silenceMs: 60_000_000, stragglerFactor: 0 };
const workers = { minimumToStart: 1, minimumToContinue: 1 };
const log = createLogger('test');
log.level = 'silent';
export const latelyMs = 600_000;
export const [a, b, c] = ['a', 'b', 'c'];

/** Created for each test of the file that imports this one. */
export let board: LeaseBoard<string, string>;
export let failures: Failures;
/** The error that has ended the run. */
export let ended: FourfoldError | undefined;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  ended = undefined;
  board = createLeaseBoard<string, string>(1, { timing, workers, mayGrant: () => true }, log);
  failures = createFailures({ board, stop: (error) => (ended ??= error), latelyMs, log });
});
afterEach(() => vi.useRealTimers());

/** A worker that records its leases, and why it was dismissed. */
export function join(machine: string) {
  const worker = {
    id: 0,
    granted: [] as { token: Token__Output; task: string }[],
    dismissed: [] as string[],
    fails: (code: FailureCode, more: Partial<ReportedFailure> = {}) =>
      failures.failed(worker.id, worker.last().token, { code, reason: `${code} on ${machine}`, ...more }),
    leaves: (code: FailureCode) =>
      failures.leaving(worker.id, worker.last().token, { code, reason: `${code} on ${machine}` }),
    isKilled: () => board.leave(worker.id, 'its connection broke', true),
    does() {
      const { token, task } = worker.last();
      board.offer(worker.id, token, 'done');
      board.finish(task);
      failures.done(task, worker.id);
    },
    last: () => worker.granted[worker.granted.length - 1],
  };
  board.join({
    restsUntilMs: failures.restsUntilMs(machine),
    taken(id) {
      worker.id = id;
      failures.joined(id, machine);
    },
    grant: (token, _leaseMs, task) => worker.granted.push({ token, task }),
    end: () => undefined,
    dismiss: (_code, reason) => worker.dismissed.push(reason),
    drop: (_reason, lost) => failures.gone(worker.id, lost),
  });
  return worker;
}

export function add(task: string, subject = 'gradients'): void {
  board.add({ key: task, priority: 0, subject, work: task });
  board.replan();
}

/** Move the clock; the board replans as often as in a coordinator. */
export function pass(ms: number): void {
  for (let left = ms; left > 0; left -= 500) {
    vi.advanceTimersByTime(Math.min(500, left));
    board.replan();
  }
}
