import { expect, test } from 'vitest';
import { testBoard } from './test-board.js';

test('a new task is open; the worker that keeps its cache is preferred', () => {
  const board = testBoard();
  board.join();
  board.add('first half', { cache: 5 });
  board.after({ type: 'planned' });
  board.after({ type: 'answered', worker: 1, token: board.token(1), result: 'gradient' });
  expect(board.after({ type: 'finished', task: 'first half', cache: 5 })).toEqual([
    { type: 'end', worker: 1, token: board.token(1) },
  ]);
  board.add('second half', { cache: 5 });
  board.add('other', { cache: 6 });
  const preferred = [...board.state.tasks.values()].map(({ key, preferredWorker }) => [key, preferredWorker]);
  expect(preferred).toEqual([
    ['second half', 1],
    ['other', undefined],
  ]);
});

test('a task that is held back is granted when its pause is over', () => {
  const board = testBoard();
  board.join();
  board.add('a');
  board.after({ type: 'held-back', task: 'a', untilMs: 300 });
  board.nowMs = 299;
  expect(board.after({ type: 'planned' })).toEqual([]);
  board.nowMs = 300;
  expect(board.after({ type: 'planned' })).toMatchObject([{ type: 'grant', task: 'a' }]);
  const before = board.state;
  board.after({ type: 'held-back', task: 'unknown', untilMs: 900 });
  expect(board.state).toBe(before);
});

test('only an answered task can be finished', () => {
  const board = testBoard();
  board.join();
  board.add('a');
  board.after({ type: 'planned' });
  for (const task of ['a', 'unknown']) {
    expect(() => board.after({ type: 'finished', task })).toThrow(`${task} has no holder`);
  }
});

test('when the board is cleared all leases end', () => {
  const board = testBoard();
  board.join();
  board.add('a');
  board.add('b');
  board.after({ type: 'planned' });
  expect(board.after({ type: 'cleared' })).toEqual([
    { type: 'end', worker: 1, token: board.token(1) },
    { type: 'end', worker: 1, token: board.token(2) },
  ]);
  expect(board.state.tasks.size).toBe(0);
});
