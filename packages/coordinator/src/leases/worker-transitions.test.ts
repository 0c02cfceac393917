import { expect, test } from 'vitest';
import { testBoard } from './test-board.js';

/** One worker has tasks `a` and `b`, and has answered `a`. */
function boardWithAnAnswer() {
  const board = testBoard();
  board.join();
  board.add('a');
  board.add('b');
  board.after({ type: 'planned' });
  board.after({ type: 'answered', worker: 1, token: board.token(1), result: 'gradient' });
  return board;
}

test('workers are numbered in the order in which they join; a plan follows', () => {
  const board = testBoard();
  expect(board.join()).toEqual([{ type: 'plan' }]);
  board.nowMs = 70;
  board.join(900);
  expect([...board.state.seats]).toEqual([
    [1, { id: 1, lastSeenMs: 0, restsUntilMs: undefined }],
    [2, { id: 2, lastSeenMs: 70, restsUntilMs: 900 }],
  ]);
  expect(board.state.counts.joined).toBe(2);
});

test('a worker that leaves is cut off, its tasks are open again, and its answers are discarded', () => {
  const board = boardWithAnAnswer();
  const effects = board.after({ type: 'left', worker: 1, reason: 'it left', isSilent: false });
  expect(effects).toEqual([
    { type: 'drop', worker: 1, reason: 'it left', leases: ['a', 'b'], lost: [] },
    { type: 'discard', task: 'a' },
    { type: 'plan' },
  ]);
  expect(board.state.seats.size).toBe(0);
  expect([...board.state.tasks.values()].map(({ leases, isReady }) => [leases, isReady])).toEqual([
    [[], false],
    [[], false],
  ]);
  expect(board.state.counts.left).toBe(1);
});

test('a worker that leaves without a message has lost its unanswered tasks', () => {
  const board = boardWithAnAnswer();
  const [drop] = board.after({ type: 'left', worker: 1, reason: 'its connection broke', isSilent: true });
  expect(drop).toMatchObject({ leases: ['a', 'b'], lost: ['b'] });
});

test('a worker leaves once', () => {
  const board = testBoard();
  board.join();
  board.after({ type: 'left', worker: 1, reason: 'it left', isSilent: false });
  const before = board.state;
  expect(board.after({ type: 'left', worker: 1, reason: 'it left', isSilent: false })).toEqual([]);
  expect(board.state).toBe(before);
});

test('of two workers with a task one leaves: the other keeps its lease', () => {
  const board = testBoard();
  board.join();
  board.join();
  board.add('a');
  board.after({ type: 'planned' });
  const [lease] = board.leases('a');
  const helper = { ...lease, worker: 2, token: board.token(2) };
  const { tasks } = board.state;
  board.state = { ...board.state, tasks: tasks.with('a', { ...tasks.get('a')!, leases: [lease, helper] }) };
  board.after({ type: 'left', worker: 1, reason: 'killed', isSilent: true });
  expect(board.leases('a')).toEqual([helper]);
});

test('a worker that is heard is not silent, and a rest is kept until its end', () => {
  const board = testBoard();
  board.join();
  board.nowMs = 400;
  expect(board.after({ type: 'seen', worker: 1 })).toEqual([]);
  expect(board.after({ type: 'rested', worker: 1, untilMs: 800 })).toEqual([]);
  expect(board.state.seats.get(1)).toEqual({ id: 1, lastSeenMs: 400, restsUntilMs: 800 });
  board.nowMs = 900;
  expect(board.after({ type: 'planned' })).toEqual([]);
  board.nowMs = 901;
  expect(board.after({ type: 'planned' })).toMatchObject([
    { type: 'drop', worker: 1, reason: 'silent for 501 ms' },
    {},
  ]);
});

test('events of a worker without a seat change nothing', () => {
  const board = testBoard();
  const before = board.state;
  board.after({ type: 'seen', worker: 7 });
  board.after({ type: 'rested', worker: 7, untilMs: 1 });
  expect(board.state).toBe(before);
});
