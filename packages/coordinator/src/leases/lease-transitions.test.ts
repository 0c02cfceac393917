import { expect, test } from 'vitest';
import { testBoard } from './test-board.js';

/** A board on which worker 1 has leases of these tasks. */
function leased(...keys: string[]) {
  const board = testBoard();
  board.join();
  for (const key of keys) board.add(key, { hasProgress: true });
  board.after({ type: 'planned' });
  return board;
}

test('a grant has the term’s next token and a deadline for both leases of its worker', () => {
  const board = testBoard();
  board.join();
  board.add('a');
  board.nowMs = 50;
  expect(board.after({ type: 'planned' })).toEqual([
    { type: 'grant', task: 'a', worker: 1, token: { term: 3, number: 1 }, because: 'open' },
  ]);
  expect(board.leases('a')).toEqual([{ token: board.token(1), worker: 1, grantedMs: 50, deadlineMs: 2_050 }]);
  expect(board.state.counts).toMatchObject({ granted: 1, moved: 0, straggling: 0 });
});

test('a task that is granted again has moved', () => {
  const board = leased('a');
  board.after({ type: 'left', worker: 1, reason: 'killed', isSilent: true });
  board.join();
  expect(board.after({ type: 'planned' })).toMatchObject([{ task: 'a', worker: 2, token: { number: 2 } }]);
  expect(board.state.counts).toMatchObject({ granted: 2, moved: 1 });
});

test('a lost worker is dropped before anything is granted', () => {
  const board = leased('a');
  board.nowMs = 400;
  board.join();
  board.nowMs = 501;
  expect(board.after({ type: 'planned' })).toEqual([
    { type: 'drop', worker: 1, reason: 'silent for 501 ms', leases: ['a'], lost: ['a'] },
    { type: 'plan' },
  ]);
  expect(board.after({ type: 'planned' })).toMatchObject([{ type: 'grant', task: 'a', worker: 2 }]);
});

test('a run starts with one number of workers and continues with another', () => {
  const board = testBoard({ minimumToStart: 2 });
  board.add('a');
  board.join();
  expect(board.after({ type: 'planned' })).toEqual([]);
  expect(board.state.hasStarted).toBe(false);
  board.join();
  expect(board.after({ type: 'planned' })).toHaveLength(1);
  board.after({ type: 'left', worker: 1, reason: 'it left', isSilent: false });
  expect(board.after({ type: 'planned' })).toMatchObject([{ type: 'grant', worker: 2 }]);
});

test('progress renews the lease until the task is answered', () => {
  const board = leased('a');
  const token = board.token(1);
  board.nowMs = 1_500;
  const told = board.after({ type: 'progressed', worker: 1, token, soFar: 'one picture' });
  expect(told).toEqual([{ type: 'tell-progress', task: 'a', soFar: 'one picture' }]);
  expect(board.leases('a')).toMatchObject([{ grantedMs: 0, deadlineMs: 3_500 }]);
  board.after({ type: 'answered', worker: 1, token, result: 'all' });
  expect(board.after({ type: 'progressed', worker: 1, token, soFar: 'late' })).toEqual([]);
});

test.each([
  ['another worker', 2, { term: 3, number: 1 }, true],
  ['an older term', 1, { term: 2, number: 1 }, true],
  ['a number that was never granted', 1, { term: 3, number: 9 }, true],
  ['a task without progress', 1, { term: 3, number: 1 }, false],
])('progress is ignored: %s', (_, worker, token, hasProgress) => {
  const board = testBoard();
  board.join();
  board.join();
  board.add('a', { hasProgress });
  board.after({ type: 'planned' });
  const before = board.state;
  expect(board.after({ type: 'progressed', worker, token, soFar: '' })).toEqual([]);
  expect(board.state).toBe(before);
});

test('the first answer is delivered; the same token again, or another worker’s, is refused and counted', () => {
  const board = leased('a');
  board.join();
  const token = board.token(1);
  const answer = (worker: number) => board.after({ type: 'answered', worker, token, result: 'gradient' });
  const refused = (worker: number) => [
    { type: 'log-refused', worker, token },
    { type: 'end', worker, token },
  ];
  expect(answer(2)).toEqual(refused(2));
  expect(answer(1)).toEqual([{ type: 'deliver', task: 'a', worker: 1, token, result: 'gradient' }, { type: 'plan' }]);
  expect(board.state.tasks.get('a')?.isReady).toBe(true);
  expect(answer(1)).toEqual(refused(1));
  expect(board.state.counts.refused).toBe(2);
});

test('a straggler’s task has two tokens; the first answer ends the other', () => {
  const board = testBoard();
  board.join();
  for (let number = 1; number <= 8; number++) {
    const task = { key: `usual ${number}`, priority: 0, kind: 'half' };
    board.add(task.key, { task });
    board.after({ type: 'planned' });
    board.nowMs += 10;
    board.after({ type: 'answered', worker: 1, token: board.token(number), result: '' });
    board.after({ type: 'finished', task: task.key });
  }
  board.join();
  board.add('a', { task: { key: 'a', priority: 0, kind: 'half' } });
  board.after({ type: 'planned' });
  board.nowMs += 30;
  expect(board.after({ type: 'planned' })).toEqual([]);
  board.nowMs += 1;
  expect(board.after({ type: 'planned' })).toEqual([
    { type: 'grant', task: 'a', worker: 2, token: board.token(10), because: 'straggler' },
  ]);
  expect(board.state.counts).toMatchObject({ straggling: 1, moved: 0 });
  expect(board.after({ type: 'answered', worker: 2, token: board.token(10), result: 'first' })).toEqual([
    { type: 'end', worker: 1, token: board.token(9) },
    { type: 'deliver', task: 'a', worker: 2, token: board.token(10), result: 'first' },
    { type: 'plan' },
  ]);
  expect(board.leases('a').map(({ worker }) => worker)).toEqual([2]);
});

test('a rejected answer is discarded; its worker may try again after the pause', () => {
  const board = leased('a');
  const token = board.token(1);
  board.after({ type: 'answered', worker: 1, token, result: 'NaN' });
  board.nowMs = 100;
  expect(board.after({ type: 'rejected', token, reason: 'not finite', pauseMs: 200 })).toEqual([
    { type: 'log-rejected', task: 'a', worker: 1, reason: 'not finite' },
    { type: 'end', worker: 1, token },
    { type: 'discard', task: 'a' },
    { type: 'plan' },
  ]);
  expect(board.state.counts.rejected).toBe(1);
  expect(board.after({ type: 'rejected', token, reason: 'again', pauseMs: 0 })).toEqual([]);
  board.nowMs = 299;
  expect(board.after({ type: 'planned' })).toEqual([]);
  board.nowMs = 300;
  expect(board.after({ type: 'planned' })).toMatchObject([{ type: 'grant', worker: 1, token: board.token(2) }]);
});

test('a lease that failed before its answer has nothing to discard', () => {
  const board = leased('a');
  const effects = board.after({ type: 'rejected', token: board.token(1), reason: 'unavailable', pauseMs: 0 });
  expect(effects.map(({ type }) => type)).toEqual(['log-rejected', 'end', 'plan']);
});
