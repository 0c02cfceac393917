import { growingPauseMs, judge, runError, type Verdict } from '@fourfold/common';
import type { FailureEffect, FailureEventOf, FailureStep, Held, Moment } from './failure-events.js';
import {
  machinesNow,
  withEntry,
  withMachineSeen,
  withoutEntry,
  type FailureState,
  type Standing,
  type ReportedFailure,
} from './failure-state.js';
import { lostWith, survived } from './lost-leases.js';

/*
 * What events of workers do to the record of failures. Failures are kept until a worker succeeds; `judge` decides by them
 * whether a worker retries, a worker leaves, or the run ends.
 */

/** The second try is immediate: it resumes what broke off. */
const pauses = { firstMs: 1_000, longestMs: 30_000 };
/** The subject of a worker that ended outside a lease. */
const processSubject = 'the process';

/** A worker of this machine has started: earlier failures to start no longer count. */
export const joined = (
  state: FailureState,
  { worker, machine }: FailureEventOf<'joined'>,
  { nowMs }: Moment,
): FailureStep => ({
  state: {
    ...state,
    seats: withEntry(state.seats, worker, { machine, joinedMs: nowMs, inARow: 0 }),
    standing: state.standing.filter((other) => other.subject !== processSubject || other.machine !== machine),
  },
  effects: [],
});

/** A worker without a seat has left before, with a message. */
export function gone(before: FailureState, { worker, lost }: FailureEventOf<'gone'>, moment: Moment): FailureStep {
  const { nowMs } = moment;
  const seat = before.seats.get(worker);
  if (!seat) return { state: before, effects: [] };
  let state = unseated(before, worker, nowMs);
  const effects: FailureEffect[] = [];
  for (const task of lost) {
    const step = lostWith(state, task, { machine: seat.machine, process: worker, lostMs: nowMs }, moment);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

/** The task is open again: for this worker, for another one, or for none if the run ends. */
export function failed(
  before: FailureState,
  { worker, token, held, reported }: FailureEventOf<'failed'>,
  { nowMs, random }: Moment,
): FailureStep {
  const found = judged(before, worker, held, reported, { nowMs, isOver: false });
  if (!found) return { state: before, effects: [] };
  const { state, verdict, failure, times, mine, inARow } = found;
  const { code, reason } = reported;
  if (verdict === 'stale') return { state, effects: [] };
  if (verdict === 'retry') {
    const pauseOf = (often: number) => (often > 1 ? growingPauseMs(often - 1, pauses, random) : 0);
    const effects: FailureEffect[] = [{ type: 'reject', token, reason, pauseMs: pauseOf(mine), times }];
    // Other workers take the next tasks, which would only wait for it to fail again.
    if (code === 'unavailable') effects.unshift({ type: 'rest', worker, untilMs: nowMs + pauseOf(inARow) });
    return { state, effects };
  }
  const end = concluded(state, verdict, failure, reported, times);
  const reject = { type: 'reject', token, reason, pauseMs: 0, times } as const;
  const dismiss = verdict === 'this machine' ? [{ type: 'dismiss', worker, code, reason } as const] : [];
  return { state: end.state, effects: [...end.effects, reject, ...dismiss] };
}

/** The worker's seat is empty at once. */
export function leaving(
  before: FailureState,
  { worker, held, reported }: FailureEventOf<'leaving'>,
  { nowMs }: Moment,
): FailureStep {
  const seat = before.seats.get(worker);
  if (!seat) return { state: before, effects: [] };
  const found = judged(before, worker, held, reported, { nowMs, isOver: true });
  const state = unseated(found?.state ?? before, worker, nowMs);
  const end = found
    ? concluded(state, found.verdict, found.failure, reported, found.times)
    : endedOutside(state, { machine: seat.machine, process: worker, begunMs: seat.joinedMs }, reported, nowMs);
  return { state: end.state, effects: [{ type: 'unseat', worker, reason: reported.reason }, ...end.effects] };
}

export function failedToStart(
  before: FailureState,
  { machine, reported }: FailureEventOf<'failed-to-start'>,
  { nowMs }: Moment,
): FailureStep {
  const failedStarts = before.failedStarts + 1;
  const process = { machine, process: `start ${failedStarts}`, begunMs: nowMs };
  const { state, effects } = endedOutside({ ...before, failedStarts }, process, reported, nowMs);
  return { state: withMachineSeen(state, machine, nowMs), effects };
}

export const gotOn = (state: FailureState, { task }: FailureEventOf<'got-on'>): FailureStep => ({
  state: survived(state, task),
  effects: [],
});

/** Others' failures at this task were their own. */
export function done(before: FailureState, { task, worker }: FailureEventOf<'done'>): FailureStep {
  const state: FailureState = {
    ...survived(before, task),
    tries: withoutEntry(before.tries, task),
    badResults: withoutEntry(before.badResults, task),
    standing: before.standing.filter((other) => other.task !== task && other.subject !== processSubject),
  };
  const seat = state.seats.get(worker);
  if (!seat) return { state, effects: [] };
  const { machine, joinedMs } = seat;
  const isFit = joinedMs >= (state.unfit.get(machine)?.lastMs ?? Infinity);
  return {
    state: {
      ...state,
      seats: withEntry(state.seats, worker, { ...seat, inARow: 0 }),
      unfit: isFit ? withoutEntry(state.unfit, machine) : state.unfit,
    },
    effects: [],
  };
}

/** The state without a worker's seat. */
function unseated(before: FailureState, worker: number, nowMs: number): FailureState {
  const seat = before.seats.get(worker);
  if (!seat) return before;
  const state = withMachineSeen(before, seat.machine, nowMs);
  const seats = withoutEntry(state.seats, worker);
  return { ...state, seats, seatlessSinceMs: seats.size === 0 ? nowMs : state.seatlessSinceMs };
}

/** The verdict on a lease's failure, and the state in which it is counted; undefined if the lease is past. */
function judged(
  state: FailureState,
  worker: number,
  held: Held | undefined,
  { code }: ReportedFailure,
  { nowMs, isOver }: { nowMs: number; isOver: boolean },
) {
  const seat = state.seats.get(worker);
  if (held?.worker !== worker || !seat) return undefined;
  const { task, subject } = held;
  const { machine, joinedMs: begunMs } = seat;
  const failure: Standing = { code, machine, process: worker, begunMs, failedMs: nowMs, subject, task };
  const answers = state.badResults.get(task) ?? [];
  const tries = state.tries.get(task) ?? new Map<number, number>();
  const mine = (tries.get(worker) ?? 0) + 1;
  const times = code === 'bad-result' ? answers.length + 1 : mine;
  const inARow = seat.inARow + 1;
  const earlier = [...state.standing.filter((other) => other.subject === subject), ...answers];
  const often = isOver ? { times: Infinity, inARow: Infinity } : { times, inARow };
  const verdict = judge(failure, { ...often, earlier, machines: machinesNow(state, nowMs) });
  const next: FailureState = {
    ...state,
    seats: withEntry(state.seats, worker, { ...seat, inARow }),
    tries: withEntry(state.tries, task, withEntry(tries, worker, mine)),
    badResults: code === 'bad-result' ? withEntry(state.badResults, task, [...answers, failure]) : state.badResults,
  };
  return { state: next, verdict, failure, times, mine, inARow };
}

/**
 * A worker's process that ended outside a lease says nothing about the run while other workers exist, or may be on
 * their way: machines do not start at the same pace, and a worker that was lost a moment ago is being replaced.
 */
function endedOutside(
  state: FailureState,
  process: Pick<Standing, 'machine' | 'process' | 'begunMs'>,
  reported: ReportedFailure,
  nowMs: number,
): FailureStep {
  const failure = { code: reported.code, ...process, failedMs: nowMs, subject: processSubject };
  const earlier = state.standing.filter(({ subject }) => subject === processSubject);
  const known = { earlier, machines: machinesNow(state, nowMs).add(process.machine), othersMayCome: true };
  const nobodyComes = state.seats.size === 0 && nowMs - state.seatlessSinceMs >= state.latelyMs;
  const verdict = nobodyComes ? judge(failure, { times: Infinity, inARow: Infinity, ...known }) : 'this machine';
  return concluded(state, verdict, failure, reported, 1);
}

/** A process leaves, or has left. Its failure stands until another succeeds. */
function concluded(
  before: FailureState,
  verdict: Verdict,
  failure: Standing,
  reported: ReportedFailure,
  times: number,
): FailureStep {
  const standing = [...before.standing, failure];
  const state = { ...before, standing };
  const { machine, task, failedMs, subject } = failure;
  if (verdict === 'the run') {
    const said = standing.filter((other) => other.subject === subject);
    const error = reported.error?.(times) ?? runError(reported.code, reported.reason);
    return { state, effects: [{ type: 'end-run', task, reported, said, error }] };
  }
  const ended = { times: (state.unfit.get(machine)?.times ?? 0) + 1, lastMs: failedMs };
  return {
    state: { ...state, unfit: withEntry(state.unfit, machine, ended) },
    effects: [{ type: 'report-unfit', failure, reported }],
  };
}
