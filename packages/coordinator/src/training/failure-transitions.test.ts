import { FourfoldError, type FailureCode } from '@fourfold/common';
import { beforeEach, expect, test } from 'vitest';
import type { FailureEffect, FailureEvent, Held } from './failure-events.js';
import { machinesNow, noFailures, restOf, type FailureState } from './failure-state.js';
import { reduceFailures } from './failures.js';

/*
 * What each event of a worker means for the record of failures, without a lease board.
 */

const latelyMs = 600_000;
const token = { term: 3, number: 1 };
let nowMs: number;
let state: FailureState;
beforeEach(() => {
  nowMs = 0;
  state = noFailures(latelyMs, nowMs);
});

/** Pauses have their whole length. */
const random = () => 1;

/** Go to the next state; returns the effects. */
function after(event: FailureEvent): readonly FailureEffect[] {
  const step = reduceFailures(state, event, { nowMs, random });
  state = step.state;
  return step.effects;
}
const join = (worker: number, machine: string) => after({ type: 'joined', worker, machine });
const reported = (code: FailureCode) => ({ code, reason: `${code}, it said` });
const heldBy = (worker: number, task = 'a'): Held => ({ worker, task, subject: 'gradients' });
const fail = (worker: number, code: FailureCode, task?: string) =>
  after({ type: 'failed', worker, token, held: heldBy(worker, task), reported: reported(code) });
const leave = (worker: number, code: FailureCode, held: Held | null = heldBy(worker)) =>
  after({ type: 'leaving', worker, held: held ?? undefined, reported: reported(code) });
const types = (effects: readonly FailureEffect[]) => effects.map(({ type }) => type);

test('a transient failure: the worker rests, and tries again after pauses that grow with its tries', () => {
  join(1, 'x');
  nowMs = 50;
  expect(fail(1, 'unavailable')).toEqual([
    { type: 'rest', worker: 1, untilMs: 50 },
    { type: 'reject', token, reason: 'unavailable, it said', pauseMs: 0, times: 1 },
  ]);
  expect(fail(1, 'unavailable')).toMatchObject([{ untilMs: 1_050 }, { pauseMs: 1_000, times: 2 }]);
  // It rests for all its failures; the task waits for its own.
  expect(fail(1, 'unavailable', 'b')).toMatchObject([{ untilMs: 2_050 }, { pauseMs: 0, times: 1 }]);
});

test('a conflict is tried again, and the worker need not rest', () => {
  join(1, 'x');
  expect(types(fail(1, 'conflict'))).toEqual(['reject']);
});

test('the fifth failure in a row is one too many: the worker is dismissed after its task is open again', () => {
  join(1, 'x');
  join(2, 'y');
  for (let times = 1; times < 5; times++) fail(1, 'unavailable');
  expect(fail(1, 'unavailable')).toMatchObject([
    { type: 'report-unfit', failure: { machine: 'x', process: 1, task: 'a' } },
    { type: 'reject', pauseMs: 0, times: 5 },
    { type: 'dismiss', worker: 1, code: 'unavailable', reason: 'unavailable, it said' },
  ]);
});

test('success starts the count anew', () => {
  join(1, 'x');
  for (let times = 1; times < 5; times++) fail(1, 'unavailable');
  after({ type: 'done', task: 'a', worker: 1 });
  expect(fail(1, 'unavailable')).toMatchObject([{ type: 'rest' }, { type: 'reject', times: 1 }]);
});

test.each<[string, () => Held | undefined]>([
  ['its lease is past', () => undefined],
  ['another worker has the lease', () => heldBy(2)],
])('a failure is ignored: %s', (_, held) => {
  join(1, 'x');
  const before = state;
  expect(after({ type: 'failed', worker: 1, token, held: held(), reported: reported('corrupt') })).toEqual([]);
  expect(state).toBe(before);
});

test('a failure of a worker without a seat is ignored', () => {
  expect(fail(1, 'corrupt')).toEqual([]);
  expect(leave(1, 'corrupt')).toEqual([]);
});

test('a worker that leaves at a lease loses its seat at once; the board’s word that it is gone changes nothing', () => {
  join(1, 'x');
  nowMs = 70;
  expect(leave(1, 'corrupt')).toMatchObject([{ type: 'unseat', worker: 1 }, { type: 'report-unfit' }]);
  expect(state).toMatchObject({ seats: new Map(), seatlessSinceMs: 70, lastSeenMs: new Map([['x', 70]]) });
  const before = state;
  expect(after({ type: 'gone', worker: 1, lost: [] })).toEqual([]);
  expect(state).toBe(before);
});

test('two machines say the same of a task: the run ends, and all that said it are named', () => {
  join(1, 'x');
  join(2, 'y');
  leave(1, 'not-found');
  expect(leave(2, 'not-found')).toMatchObject([
    { type: 'unseat', worker: 2 },
    {
      type: 'end-run',
      task: 'a',
      said: [
        { machine: 'x', process: 1 },
        { machine: 'y', process: 2 },
      ],
      error: { code: 'not-found', message: 'not-found, it said' },
    },
  ]);
});

test('a task that was done in between disproves an earlier failure at it', () => {
  join(1, 'x');
  join(2, 'y');
  leave(1, 'not-found');
  after({ type: 'done', task: 'a', worker: 2 });
  expect(state.standing).toEqual([]);
  expect(types(leave(2, 'not-found'))).toEqual(['unseat', 'report-unfit']);
});

test('unusable answers to a task count together, whoever gave them; the run ends with the coordinator’s own error', () => {
  join(1, 'x');
  for (let times = 1; times < 5; times++) {
    expect(fail(1, 'bad-result')).toMatchObject([{ type: 'reject', times }]);
  }
  const error = (times: number) => new FourfoldError('invalid', `${times} bad gradients`);
  const last = {
    type: 'failed',
    worker: 1,
    token,
    held: heldBy(1),
    reported: { ...reported('bad-result'), error },
  } as const;
  expect(after(last)).toMatchObject([
    { type: 'end-run', error: { code: 'invalid', message: '5 bad gradients' } },
    { type: 'reject', times: 5 },
  ]);
});

test('a process that ended outside a lease says nothing about the run until nobody has had a seat for long', () => {
  join(1, 'x');
  expect(types(leave(1, 'fault', null))).toEqual(['unseat', 'report-unfit']);
  const start = { type: 'failed-to-start', machine: 'y', reported: reported('fault') } as const;
  nowMs = latelyMs - 1;
  expect(types(after(start))).toEqual(['report-unfit']);
  nowMs = latelyMs;
  // Machine x is still remembered, and has said the same.
  expect(after(start)).toMatchObject([{ type: 'end-run', said: [{ machine: 'x' }, { process: 'start 1' }, {}] }]);
});

test('a worker that starts disproves its machine’s failures to start, and no other’s', () => {
  after({ type: 'failed-to-start', machine: 'x', reported: reported('fault') });
  after({ type: 'failed-to-start', machine: 'y', reported: reported('fault') });
  join(1, 'x');
  expect(state.standing.map(({ machine }) => machine)).toEqual(['y']);
});

test('a machine rests after its second process ended, longer each time, until a later process does a task', () => {
  const rests = [1, 2, 3, 4].map((worker) => {
    join(worker, 'x');
    join(10 + worker, 'y');
    nowMs += 1_000;
    leave(worker, 'no-space', null);
    return restOf(state, 'x', random);
  });
  expect(rests).toEqual([
    undefined,
    { times: 2, pauseMs: 2_000, untilMs: 4_000 },
    { times: 3, pauseMs: 4_000, untilMs: 7_000 },
    { times: 4, pauseMs: 8_000, untilMs: 12_000 },
  ]);
  expect(restOf(state, 'y', random)).toBeUndefined();
  join(5, 'x');
  after({ type: 'done', task: 'a', worker: 5 });
  expect(restOf(state, 'x', random)).toBeUndefined();
});

test('a process that was there before another of its machine ended does not prove that the machine is fit', () => {
  join(1, 'x');
  nowMs = 10;
  for (const worker of [2, 3]) {
    join(worker, 'x');
    leave(worker, 'no-space', null);
  }
  nowMs = 20;
  after({ type: 'done', task: 'a', worker: 1 });
  expect(restOf(state, 'x', random)).toMatchObject({ times: 2 });
});

test('a machine without a seat counts as long as it was seen lately', () => {
  join(1, 'x');
  after({ type: 'failed-to-start', machine: 'y', reported: reported('fault') });
  nowMs = 100;
  after({ type: 'gone', worker: 1, lost: [] });
  expect([...machinesNow(state, latelyMs)]).toEqual(['y', 'x']);
  expect([...machinesNow(state, latelyMs + 100)]).toEqual(['x']);
  nowMs = latelyMs + 101;
  join(2, 'z');
  after({ type: 'gone', worker: 2, lost: [] });
  expect([...state.lastSeenMs.keys()]).toEqual(['z']);
});

test('a task is held back once three workers were lost with it, unless one got on', () => {
  const lose = (worker: number) => {
    join(worker, 'x');
    return after({ type: 'gone', worker, lost: ['a'] });
  };
  expect([lose(1), lose(2)]).toEqual([[], []]);
  expect(lose(3)).toMatchObject([{ type: 'lost-again', task: 'a', pauseMs: 1_000 }]);
  after({ type: 'got-on', task: 'a' });
  expect(lose(4)).toEqual([]);
});

test('after eight losses over more than the whole patience the task has no pause left', () => {
  for (let worker = 1; worker <= 8; worker++) {
    join(worker, 'x');
    nowMs += 100_000;
    const effects = after({ type: 'gone', worker, lost: ['a'] });
    if (worker === 8) expect(effects).toMatchObject([{ type: 'lost-again', pauseMs: undefined }]);
  }
});
