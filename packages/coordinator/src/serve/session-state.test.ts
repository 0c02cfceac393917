import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { isOpen, lingerMs, nextSession, waitMs, type SessionEvent, type SessionState } from './session-state.js';

const timing = { silenceMs: 10_000, heartbeatMs: 1_000 };
const registering: SessionState = { name: 'registering' };
const seated: SessionState = { name: 'seated' };
const malformed: SessionState = { name: 'malformed', problem: 'p' };
const unseated: SessionState = { name: 'unseated', reason: 'silent' };
const awake: SessionState = { name: 'awake', reason: 'silent' };
const broken: SessionState = { name: 'broken' };
const ended: SessionState = { name: 'ended' };
const refused = (code: status, reason: string): SessionState => ({ name: 'refused', code, reason });

const events: SessionEvent[] = [
  { type: 'left' },
  { type: 'refused', problem: 'another run' },
  { type: 'admitted' },
  { type: 'malformed', problem: 'p' },
  { type: 'dropped', reason: 'silent' },
  { type: 'heard' },
  { type: 'timed-out' },
  { type: 'closed' },
  { type: 'broken' },
];

/** What follows each event; an event that is not named changes nothing. */
test.each<[SessionState, Partial<Record<SessionEvent['type'], SessionState>>]>([
  [
    registering,
    {
      left: ended,
      refused: refused(status.FAILED_PRECONDITION, 'another run'),
      admitted: seated,
      'timed-out': refused(status.DEADLINE_EXCEEDED, 'no Register arrived'),
      closed: ended,
      broken,
    },
  ],
  [seated, { malformed, dropped: unseated, closed: ended, broken }],
  [malformed, { dropped: refused(status.INVALID_ARGUMENT, 'silent'), closed: ended, broken }],
  [unseated, { heard: awake, 'timed-out': refused(status.ABORTED, 'silent'), closed: ended, broken }],
  [awake, { 'timed-out': refused(status.ABORTED, 'silent'), closed: ended, broken }],
  [broken, { closed: ended }],
  [ended, {}],
  [refused(status.ABORTED, 'silent'), {}],
])('$name', (state, expected) => {
  for (const event of events) {
    const next = nextSession(state, event);
    expect([event.type, next]).toEqual([event.type, expected[event.type] ?? state]);
  }
});

test('an event without meaning returns the same state, so that its timer runs on', () => {
  expect(nextSession(unseated, { type: 'dropped', reason: 'again' })).toBe(unseated);
  expect(nextSession(awake, { type: 'heard' })).toBe(awake);
});

test('how long each state may last', () => {
  const waits = [registering, seated, malformed, unseated, awake, broken, ended].map((state) => waitMs(state, timing));
  expect(waits).toEqual([10_000, undefined, undefined, lingerMs, 1_000, undefined, undefined]);
});

test('messages are read until the stream is ended', () => {
  const closed = [ended, refused(status.ABORTED, '')].map(isOpen);
  const open = [registering, seated, malformed, unseated, awake, broken].map(isOpen);
  expect([...new Set(closed), ...new Set(open)]).toEqual([false, true]);
});
