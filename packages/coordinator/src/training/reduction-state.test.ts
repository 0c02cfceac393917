import { FourfoldError, type ErrorCode } from '@fourfold/common';
import { expect, test } from 'vitest';
import { nextState, type GradientOffer, type ReductionEvent, type ReductionState } from './reduction-state.js';

const offer: GradientOffer = {
  worker: 3,
  token: { term: 1, number: 7 },
  result: { losses: { content: 0.5 }, scores: [] },
  signal: new AbortController().signal,
};
const key = 'generator 4.1';
const adding: ReductionState = { name: 'adding', offer };
const errorOf = (error: unknown, isHalt = false): ReductionEvent => ({ type: 'error', error, isHalt });

/** The states through which events lead, from the first one. */
const path = (...events: ReductionEvent[]): string[] => {
  let state: ReductionState = { name: 'queued' };
  return events.map((event) => (state = nextState(state, event, key)).name);
};

test('a gradient waits for its turn, then for a worker, and is added', () => {
  expect(path({ type: 'turn' }, { type: 'offered', offer }, { type: 'complete' })).toEqual([
    'wanted',
    'adding',
    'added',
  ]);
  expect(nextState(adding, { type: 'complete' }, key)).toEqual({ name: 'added', losses: { content: 0.5 } });
});

test('a gradient that breaks off is reported, and wanted from any worker again', () => {
  const lost = errorOf(new FourfoldError('unavailable', 'no data arrived for 600 ms'));
  expect(
    path({ type: 'turn' }, { type: 'offered', offer }, lost, { type: 'reported' }, { type: 'offered', offer }),
  ).toEqual(['wanted', 'adding', 'broken', 'wanted', 'adding']);
  expect(nextState(adding, lost, key)).toEqual({
    name: 'broken',
    offer,
    reported: { code: 'unavailable', reason: 'no data arrived for 600 ms' },
  });
});

test.each<[ErrorCode, RegExp]>([
  ['invalid', /learning rate/],
  ['mismatch', /one release/],
])('a gradient that is %s is a bad result, with a hint should it end the run', (code, hint) => {
  const cause = new FourfoldError(code, 'NaN or infinity in first/filter');
  const broken = nextState(adding, errorOf(cause), key);
  if (broken.name !== 'broken') throw new Error(broken.name);
  expect(broken.reported).toMatchObject({ code: 'bad-result', reason: 'NaN or infinity in first/filter' });
  const end = broken.reported.error?.(5);
  expect(end?.message).toBe('generator 4.1: 5 bad gradients in a row, the last from worker 3');
  expect(end?.options.hint).toMatch(hint);
  expect(end?.cause).toBe(cause);
});

test('a fault of this process ends the reduction with its own error', () => {
  const fault = new TypeError('x is not a function');
  expect(nextState(adding, errorOf(fault), key)).toEqual({ name: 'failed', error: fault });
});

test.each<ReductionState>([{ name: 'queued' }, { name: 'wanted' }, adding])(
  'a halt ends a reduction that is $name, whatever its reason',
  (state) => {
    const reason = new FourfoldError('unavailable', 'stopped');
    expect(nextState(state, errorOf(reason, true), key)).toEqual({ name: 'failed', error: reason });
  },
);

test('a state refuses an event that it does not have', () => {
  expect(() => nextState({ name: 'queued' }, { type: 'complete' }, key)).toThrow('queued has no complete');
});
