import type { FailureCode } from '@fourfold/common';
import { beforeEach, expect, test } from 'vitest';
import type { PartExit } from './child.js';
import { createRestarts, type Next, type Restarts } from './restarts.js';

const [coordinator, first, second] = [
  { role: 'coordinator', name: 'coordinator' },
  { role: 'worker', name: 'worker 1' },
  { role: 'worker', name: 'worker 2' },
];
type Slot = typeof first;

let nowMs: number;
let restarts: Restarts;
beforeEach(() => {
  nowMs = 0;
  // Pauses have their whole length: with random fractions of a millisecond a life of a minute could come out a hair shorter.
  restarts = createRestarts(
    () => nowMs,
    () => 1,
  );
});

const says = (code: FailureCode, exitCode = 1): PartExit => ({
  code: exitCode,
  signal: null,
  leaving: { code, reason: `${code}, it said` },
  lackedMemory: false,
});
const killed: PartExit = { code: null, signal: 'SIGKILL', lackedMemory: true };
const crashed: PartExit = { code: 134, signal: null, lackedMemory: false };

/** A part lives for `livedMs`, and ends this way. */
function lives(slot: Slot, end: PartExit, livedMs = 1_000): Next {
  restarts.started(slot);
  nowMs += livedMs;
  const next = restarts.ended(slot, end);
  nowMs += 'restartInMs' in next ? next.restartInMs : 0;
  return next;
}
const isRestarted = { restartInMs: expect.any(Number) as number };

test('a worker that lacks something is retried by a fresh process; if that says the same, the run ends with its reason', () => {
  expect(lives(first, says('not-found'))).toEqual(isRestarted);
  expect(lives(first, says('not-found'))).toMatchObject({ ends: { code: 'not-found', message: 'not-found, it said' } });
});

test('a damaged object is a person’s to fix', () => {
  lives(first, says('corrupt'));
  expect(lives(first, says('corrupt'))).toMatchObject({ ends: { code: 'invalid' } });
});

test('iterations between two failures: the first no longer counts', () => {
  for (let i = 0; i < 20; i++) {
    expect(lives(first, says('no-space'))).toEqual(isRestarted);
    restarts.progressed();
  }
});

test('a worker that fails again and again beside a good one is restarted after growing pauses', () => {
  restarts.started(second);
  const pauses = Array.from({ length: 12 }, () => lives(first, says('fault')) as { restartInMs: number });
  expect(pauses.map(({ restartInMs }) => restartInMs)).toEqual([
    ...[500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000],
    ...[60_000, 60_000, 60_000, 60_000, 60_000],
  ]);
  // The other one is lost, too: nobody is left.
  nowMs += 1_000;
  restarts.ended(second, says('fault'));
  expect(lives(first, says('fault'))).toMatchObject({ ends: { message: 'fault, it said' } });
});

test('a part that lived for long begins with a short pause', () => {
  restarts.started(second);
  for (let i = 0; i < 8; i++) lives(first, killed);
  expect(lives(first, killed, 59_999)).toEqual({ restartInMs: 60_000 });
  expect(lives(first, killed, 60_000)).toEqual({ restartInMs: 500 });
});

test.each<[string, PartExit]>([
  ['another kind than the run’s', says('mismatch')],
  ['a user’s mistake', says('invalid', 2)],
])('%s is final: no fresh process is tried', (_, end) => {
  expect(lives(first, end)).toMatchObject({ ends: { message: end.leaving?.reason } });
});

test('a worker that is refused for good stays out, and the others go on; the last one ends the run', () => {
  restarts.started(second);
  expect(lives(first, says('mismatch'))).toEqual({ isOut: true });
  nowMs += 1_000;
  expect(restarts.ended(second, says('mismatch'))).toMatchObject({ ends: { code: 'mismatch' } });
});

test('a coordinator that gives up ends the run; one that is killed is restarted', () => {
  expect(lives(coordinator, killed)).toEqual(isRestarted);
  expect(lives(coordinator, says('unavailable'))).toMatchObject({ ends: { message: 'unavailable, it said' } });
});

test.each<[string, PartExit, RegExp, boolean]>([
  ['killed', killed, /^worker 1 died 6 times in a row, last: it was killed by SIGKILL$/, true],
  ['aborted', crashed, /^worker 1 died 6 times in a row, last: it ended with code 134$/, false],
])(
  '%s again and again without a reason: the run ends, and memory is named if it may be the cause',
  (_, end, says, memory) => {
    for (let i = 0; i < 5; i++) expect(lives(first, end)).toEqual(isRestarted);
    const { ends } = lives(first, end) as { ends: Error & { options: { hint: string } } };
    expect(ends.message).toMatch(says);
    expect(ends.options.hint.includes('memory')).toBe(memory);
  },
);

test('parts that somebody stops are replaced', () => {
  const stopped = { ...says('fault', 143), leaving: { code: 'fault' as const, reason: 'stopped by SIGTERM' } };
  for (let i = 0; i < 5; i++) expect(lives(first, stopped)).toEqual(isRestarted);
});
