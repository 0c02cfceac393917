import {
  createRepeats,
  growingPauseMs,
  judge,
  runError,
  type Failure,
  type FailureCode,
  type FourfoldError,
  type Logger,
  type Verdict,
} from '@fourfold/common';
import type { Token__Output } from '@fourfold/rpc';
import type { LeaseBoard } from '../leases/lease-board.js';
import { createLosses } from './lost-leases.js';

/*
 * Which failures happened where, and what follows: the failure policy's effects in the coordinator. `judge` decides.
 */

/** A failure as a worker, or the coordinator itself, reports it. */
export interface Told {
  code: FailureCode;
  reason: string;
  /** The error that ends the run, if it ends, after `times` tries. */
  error?: (times: number) => FourfoldError;
}

export interface FailureParts {
  board: Pick<LeaseBoard<unknown, unknown>, 'holder' | 'reject' | 'leave' | 'dismiss' | 'rest' | 'holdBack'>;
  /** Ends the run. */
  stop: (error: FourfoldError) => void;
  /** A machine that was away for this long no longer counts; a lease that is lost repeatedly is retried for as long. */
  latelyMs: number;
  log: Logger;
  now?: () => number;
}

/** A failure for which a process has left, or an unusable answer. */
interface Standing extends Failure {
  /** Its subject; tasks with the same subject fail for the same reasons. */
  subject: string;
  /** Once a worker has done this task, the failure says nothing about other machines. */
  task?: string;
}

interface Seated {
  machine: string;
  joinedMs: number;
  /** Failures since its last success. */
  inARow: number;
}

/** The second try is immediate: it resumes what broke off. */
const pauses = { firstMs: 1_000, longestMs: 30_000 };
/** For a machine whose workers keep ending while others do well. */
const machinePauses = { firstMs: 2_000, longestMs: 600_000 };
/** The subject of a worker that ended outside a lease. */
const processSubject = 'the process';

/**
 * Records failures until a worker succeeds, and decides whether a worker retries, a worker leaves, or the run ends.
 */
// eslint-disable-next-line max-lines-per-function -- `judge` decides by all records together, and each method changes several
export function createFailures({ board, stop, latelyMs, log, now = () => performance.now() }: FailureParts) {
  const seats = new Map<number, Seated>();
  /** When a machine without a seat was last seen. */
  const lastSeenMs = new Map<string, number>();
  let standing: Standing[] = [];
  /** By task, then by worker: how often each has failed at it. */
  const tries = new Map<string, Map<number, number>>();
  /** Useless answers by task, from any worker. */
  const badResults = new Map<string, Standing[]>();
  /** Machines whose processes ended: how often, and when the last one did. */
  const unfit = new Map<string, { times: number; lastMs: number }>();
  const repeats = createRepeats();
  let starts = 0;
  /** When the last seat became empty. */
  let seatlessSinceMs = now();

  const machinesNow = (): Set<string> => {
    for (const [machine, seenMs] of lastSeenMs) if (now() - seenMs > latelyMs) lastSeenMs.delete(machine);
    return new Set([...lastSeenMs.keys(), ...[...seats.values()].map(({ machine }) => machine)]);
  };

  const losses = createLosses({ board, stop, latelyMs, log, machines: machinesNow });

  function count(task: string, worker: number): number {
    const ofTask = tries.get(task) ?? new Map<number, number>();
    const times = (ofTask.get(worker) ?? 0) + 1;
    tries.set(task, ofTask.set(worker, times));
    return times;
  }

  /** A process leaves, or has left. Its failure stands until another succeeds. */
  function conclude(verdict: Verdict, failure: Standing, told: Told, times: number): void {
    const { machine, process: worker, task, failedMs } = failure;
    const { code, reason } = told;
    standing.push(failure);
    if (verdict === 'the run') {
      const said = standing.filter(({ subject }) => subject === failure.subject);
      const who = said.map(({ machine, process, code }) => ({ machine, worker: process, code }));
      log.error({ event: 'run-fails', task, code, reason, said: who }, 'no machine can do this task');
      stop(told.error?.(times) ?? runError(code, reason));
      return;
    }
    const before = unfit.get(machine)?.times ?? 0;
    unfit.set(machine, { times: before + 1, lastMs: failedMs });
    const said = repeats(`${machine} ${code} ${reason}`);
    if (said) {
      log.warn({ event: 'worker-unfit', worker, machine, task, code, reason, times: said }, 'a worker is not fit');
    }
  }

  /**
   * A worker's process that ended outside a lease says nothing about the run while other workers exist, or may be on
   * their way: machines do not start at the same pace, and a worker that was lost a moment ago is being replaced.
   */
  function endedOutside(machine: string, process: string | number, begunMs: number, told: Told): void {
    const failure = { code: told.code, machine, process, begunMs, failedMs: now(), subject: processSubject };
    const earlier = standing.filter(({ subject }) => subject === processSubject);
    const known = { earlier, machines: machinesNow().add(machine), othersMayCome: true };
    const nobodyComes = seats.size === 0 && now() - seatlessSinceMs >= latelyMs;
    const verdict = nobodyComes ? judge(failure, { times: Infinity, inARow: Infinity, ...known }) : 'this machine';
    conclude(verdict, failure, told, 1);
  }

  /** The verdict on a lease's failure; undefined if the lease is gone. */
  function judged(worker: number, token: Token__Output, told: Told, isOver: boolean) {
    const held = board.holder(token);
    const seat = seats.get(worker);
    if (held?.worker !== worker || !seat) return undefined;
    const { task, subject } = held;
    const { machine, joinedMs: begunMs } = seat;
    const { code } = told;
    const failure: Standing = { code, machine, process: worker, begunMs, failedMs: now(), subject, task };
    const answers = badResults.get(task) ?? [];
    const mine = count(task, worker);
    const times = code === 'bad-result' ? answers.length + 1 : mine;
    const inARow = ++seat.inARow;
    const earlier = [...standing.filter((other) => other.subject === subject), ...answers];
    if (code === 'bad-result') badResults.set(task, [...answers, failure]);
    const often = isOver ? { times: Infinity, inARow: Infinity } : { times, inARow };
    const verdict = judge(failure, { ...often, earlier, machines: machinesNow() });
    return { verdict, failure, times, mine, inARow };
  }

  return {
    /** Until when a worker of this machine gets no work while other workers are free. */
    restsUntilMs(machine: string): number | undefined {
      const found = unfit.get(machine);
      if (!found || found.times < 2) return undefined;
      const pauseMs = growingPauseMs(found.times - 1, machinePauses);
      log.info(
        { event: 'machine-rests', machine, times: found.times, pauseMs: Math.round(pauseMs) },
        'other workers go first',
      );
      return found.lastMs + pauseMs;
    },
    joined(worker: number, machine: string): void {
      seats.set(worker, { machine, joinedMs: now(), inARow: 0 });
      // A worker of this machine has started: earlier failures to start no longer count.
      standing = standing.filter((other) => other.subject !== processSubject || other.machine !== machine);
    },
    /** A worker has lost its seat; `lost` are the tasks that it held if it went without a word. */
    gone(worker: number, lost: readonly string[] = []): void {
      const seat = seats.get(worker);
      if (seat) {
        lastSeenMs.set(seat.machine, now());
        for (const task of lost) losses.add(task, { machine: seat.machine, process: worker, lostMs: now() });
      }
      if (seats.delete(worker) && seats.size === 0) seatlessSinceMs = now();
    },
    /** A worker failed at a lease, or its answer was unusable. Returns how often; 0 if the lease is past. */
    failed(worker: number, token: Token__Output, told: Told): number {
      const found = judged(worker, token, told, false);
      if (!found || found.verdict === 'stale') return 0;
      const { verdict, failure, times, mine, inARow } = found;
      const { code, reason } = told;
      if (verdict !== 'retry') {
        conclude(verdict, failure, told, times);
        board.reject(token, reason);
        if (verdict === 'this machine') board.dismiss(worker, code, reason);
        return times;
      }
      const pauseOf = (often: number) => (often > 1 ? growingPauseMs(often - 1, pauses) : 0);
      // Other workers take the next tasks, which would only wait for it to fail again.
      if (code === 'unavailable') board.rest(worker, now() + pauseOf(inARow));
      board.reject(token, reason, pauseOf(mine));
      return times;
    },
    /** A worker says why it ends. */
    leaving(worker: number, token: Token__Output | null, told: Told): void {
      const seat = seats.get(worker);
      if (!seat) return;
      const found = token && judged(worker, token, told, true);
      board.leave(worker, told.reason);
      if (found) conclude(found.verdict, found.failure, told, found.times);
      else endedOutside(seat.machine, worker, seat.joinedMs, told);
    },
    /** A worker that never had a seat says why it ends. */
    failedToStart(machine: string, told: Told): void {
      const process = `start ${++starts}`;
      endedOutside(machine, process, now(), told);
      lastSeenMs.set(machine, now());
    },
    /** A worker has done a part of a task, and survived it. */
    gotOn(task: string): void {
      losses.forget(task);
    },
    /** A worker has done a task: others' failures at it were their own. */
    done(task: string, worker: number): void {
      tries.delete(task);
      badResults.delete(task);
      losses.forget(task);
      standing = standing.filter((other) => other.task !== task && other.subject !== processSubject);
      const seat = seats.get(worker);
      if (!seat) return;
      seat.inARow = 0;
      const found = unfit.get(seat.machine);
      if (found && seat.joinedMs >= found.lastMs) unfit.delete(seat.machine);
    },
  };
}

export type Failures = ReturnType<typeof createFailures>;
