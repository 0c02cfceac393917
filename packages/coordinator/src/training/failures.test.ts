import { FourfoldError, type FailureCode } from '@fourfold/common';
import { expect, test, vi } from 'vitest';
import type { ReportedFailure } from './failure-state.js';
import { a, add, b, board, c, ended, failures, join, latelyMs, pass } from './test-failing-run.js';

/*
 * What happens to a run whose workers fail, by a clock that the test moves.
 */

test('a shard is missing on one machine: the work moves, and another’s success means that the machine is at fault', () => {
  const [first, second] = [join(a), join(b)];
  add('0.0');
  first.leaves('not-found');
  expect(second.last().task).toBe('0.0');
  second.does();
  // A fresh process fails too, later, at another task.
  add('1.0');
  const third = join(a);
  expect(third.granted).toEqual([]);
  second.does();
  expect(ended).toBeUndefined();
});

test('two machines miss the same shard: the run ends with the reason', () => {
  const [first, second] = [join(a), join(b)];
  join(c);
  add('0.0');
  first.leaves('not-found');
  second.leaves('not-found');
  expect(ended).toMatchObject({ code: 'not-found', message: 'not-found on b' });
});

test('one machine: a fresh process that finds the same ends the run', () => {
  add('0.0');
  join(a).leaves('corrupt');
  expect(ended).toBeUndefined();
  pass(1_000);
  join(a).leaves('corrupt');
  // Only a person can fix this.
  expect(ended).toMatchObject({ code: 'invalid', message: 'corrupt on a' });
});

test('one machine: two workers that run out of memory side by side do not end the run; a fresh one that does too ends it', () => {
  add('0.0');
  add('0.1');
  const [first, second] = [join(a), join(a)];
  first.leaves('no-space');
  second.leaves('no-space');
  pass(1_000);
  const fresh = join(a);
  fresh.does();
  expect(ended).toBeUndefined();
});

test('a machine that was last seen an hour ago no longer counts', () => {
  const other = join(b);
  add('0.0');
  other.does();
  board.leave(other.id, 'its node is gone');
  add('1.0');
  join(a).leaves('not-found');
  pass(1_000);
  join(a).leaves('not-found');
  expect(ended).toBeUndefined();
  pass(latelyMs + 1_000);
  join(a).leaves('not-found');
  expect(ended).toMatchObject({ code: 'not-found' });
});

test('a transient failure is retried after growing pauses; then the worker is reported to leave', () => {
  const worker = join(a);
  join(b).granted.length = 0;
  board.leave(2, 'away');
  add('0.0');
  const grantedAtMs: number[] = [];
  for (let passedMs = 0; passedMs < 60_000 && worker.dismissed.length === 0; passedMs += 100) {
    if (worker.granted.length > grantedAtMs.length) {
      grantedAtMs.push(passedMs);
      worker.fails('unavailable');
    }
    vi.advanceTimersByTime(100);
    board.replan();
  }
  expect(worker.dismissed).toEqual(['unavailable on a']);
  // Five tries: the second at once, then about 1, 2 and 4 seconds later.
  const pauses = grantedAtMs.slice(1).map((at, i) => at - grantedAtMs[i]);
  expect(pauses).toHaveLength(4);
  expect(pauses[0]).toBeLessThanOrEqual(100);
  expect(pauses[1]).toBeGreaterThanOrEqual(700);
  expect(pauses[2]).toBeGreaterThanOrEqual(1_500);
  expect(pauses[3]).toBeGreaterThanOrEqual(3_000);
  expect(pauses[3]).toBeLessThanOrEqual(4_200);
  expect(ended).toBeUndefined();
});

test('a worker with an unreachable address leaves; the other does its work', () => {
  const [unreachable, good] = [join(a), join(b)];
  for (let i = 0; i < 200 && unreachable.dismissed.length === 0; i++) {
    add(`${i}.0`);
    add(`${i}.1`);
    for (let times = 0; times < 4; times++) {
      if (board.holder(unreachable.last()?.token ?? { term: 0, number: 0 })) unreachable.fails('unavailable');
      while (board.holder(good.last()?.token ?? { term: 0, number: 0 })) good.does();
    }
    pass(1_000);
  }
  expect(unreachable.dismissed).toEqual(['unavailable on a']);
  expect(good.dismissed).toEqual([]);
  expect(ended).toBeUndefined();
});

test('non-finite gradients of the only machine end the run, with the coordinator’s own error', () => {
  const worker = join(a);
  add('0.0');
  const error = (times: number) => new FourfoldError('invalid', `${times} bad gradients in a row`);
  for (let times = 1; times <= 5; times++) {
    expect(ended).toBeUndefined();
    worker.fails('bad-result', { error });
    pass(10_000);
  }
  expect(ended?.message).toBe('5 bad gradients in a row');
});

test('a worker whose answers are all unusable is reported to leave, and does not end the run while another does well', () => {
  const [bad, good] = [join(a), join(a)];
  for (let i = 0; bad.dismissed.length === 0 && i < 40; i++) {
    add(`${i}.0`);
    if (board.holder(bad.last()?.token ?? { term: 0, number: 0 })) bad.fails('bad-result');
    good.does();
    pass(500);
  }
  expect(bad.granted).toHaveLength(10);
  expect(bad.dismissed).toHaveLength(1);
  expect(ended).toBeUndefined();
});

test('a machine whose processes keep ending waits longer each time, while another does the work', () => {
  const good = join(b);
  const waits: number[] = [];
  for (let i = 0; i < 5; i++) {
    add(`${i}.0`);
    add(`${i}.1`);
    add(`${i}.2`);
    const fresh = join(a);
    let waitedMs = 0;
    for (; fresh.granted.length === 0; waitedMs += 500) pass(500);
    waits.push(waitedMs);
    fresh.leaves('no-space');
    while (board.holder(good.last().token)) good.does();
  }
  expect(waits.slice(0, 2)).toEqual([0, 0]);
  for (const i of [2, 3, 4]) {
    expect(waits[i]).toBeGreaterThanOrEqual(1_500 * 2 ** (i - 2) - 500);
    expect(waits[i]).toBeLessThanOrEqual(2_000 * 2 ** (i - 2) + 500);
  }
  expect(ended).toBeUndefined();
});

test('processes end, each for another reason, and none is fit: the run ends with the last reason', () => {
  add('0.0');
  const codes: FailureCode[] = ['not-found', 'no-space', 'refused', 'fault', 'invalid', 'corrupt'];
  for (const code of codes) {
    expect(ended).toBeUndefined();
    join(a).leaves(code);
    pass(1_000);
  }
  expect(ended).toMatchObject({ code: 'invalid', message: 'corrupt on a' });
});

test('a worker that cannot start says so: two machines end the run, unless another worker could start', () => {
  const reported: ReportedFailure = { code: 'not-found', reason: 'photos/validation does not exist' };
  const good = join(c);
  failures.failedToStart(a, reported);
  failures.failedToStart(b, reported);
  board.leave(good.id, 'it is gone');
  // Its replacement is on its way.
  failures.failedToStart(a, reported);
  expect(ended).toBeUndefined();
  pass(latelyMs);
  failures.failedToStart(b, reported);
  failures.failedToStart(a, reported);
  expect(ended).toMatchObject({ code: 'not-found', message: reported.reason });
});

test('the first machines cannot start: others may follow, for as long as a worker looks for a coordinator', () => {
  const reported: ReportedFailure = { code: 'not-found', reason: 'photos/validation does not exist' };
  for (let i = 0; i < 20; i++) {
    failures.failedToStart(a, reported);
    failures.failedToStart(b, reported);
    pass(latelyMs / 20);
    if (i < 19) expect(ended).toBeUndefined();
  }
  failures.failedToStart(a, reported);
  expect(ended).toMatchObject({ code: 'not-found' });
});

test('reports of machines that cannot start are forgotten when a worker does well', () => {
  const reported: ReportedFailure = { code: 'not-found', reason: 'photos/validation does not exist' };
  failures.failedToStart(a, reported);
  const good = join(c);
  add('0.0');
  good.does();
  board.leave(good.id, 'it is gone');
  pass(latelyMs);
  failures.failedToStart(b, reported);
  expect(ended).toBeUndefined();
});

test('a failure at a lease that has moved on is ignored', () => {
  const [first, second] = [join(a), join(b)];
  add('0.0');
  const { token } = first.last();
  board.reject(token, 'late');
  for (let i = 0; i < 20; i++) failures.failed(first.id, token, { code: 'corrupt', reason: 'late' });
  second.does();
  expect([first.dismissed, ended]).toEqual([[], undefined]);
});
