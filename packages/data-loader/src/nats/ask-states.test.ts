import { describe, expect, test } from 'vitest';
import { newAsking, transition, type AskEvent, type Asking, type AskView } from './ask-states.js';
import type { Refusal } from './batch-message.js';

/*
 * A request among data-loaders `a`, `b`, … in that order, each on a machine of its own, at times that the test sets.
 */

const lateMs = 2_000;
const pollMs = 100;

/** A request at time 0 with its first data-loader asked; `world` may be changed between events. */
function startRequest(...loaders: string[]) {
  const heard = new Map<string, number>();
  const resting = new Map<string, number>();
  const world = { nowMs: 0, isDown: false, loaders, heard, resting };
  const view = (): AskView => ({
    ...{ nowMs: world.nowMs, isDown: world.isDown, lateMs },
    inOrder: () => world.loaders,
    restsUntilMs: (loader) => resting.get(loader) ?? 0,
    heardMs: (loader) => heard.get(loader) ?? 0,
    machineOf: (loader) => `host of ${loader}`,
    machines: () => new Set(world.loaders.map((loader) => `host of ${loader}`)),
  });
  const late: string[] = [];
  const sent: { loader: string; atMs: number }[] = [];
  let asking: Asking = newAsking();
  /** Take an event, and choose where that follows. */
  const take = (event: AskEvent): void => {
    const step = transition(asking, event, view());
    asking = step.asking;
    if (step.late !== undefined) late.push(step.late);
    if (step.isNew) sent.push({ loader: asking.attempts[asking.attempts.length - 1].loader, atMs: world.nowMs });
    if (asking.state.name === 'choosing') take({ type: 'due' });
  };
  /** Move the clock, and look at the request whenever it is due. */
  const moveTo = (untilMs: number): void => {
    for (let { state } = asking; 'dueMs' in state && state.dueMs <= untilMs; state = asking.state) {
      world.nowMs = state.dueMs;
      take({ type: 'due' });
    }
    world.nowMs = untilMs;
  };
  const refuse = (attempt: number, code: Refusal['code'], hint?: string) =>
    take({
      type: 'refused',
      attempt,
      refusal: { code, message: `${code} at ${asking.attempts[attempt].loader}`, hint },
    });
  take({ type: 'due' });
  return { world, late, sent, take, moveTo, refuse, state: () => asking.state, asking: () => asking };
}

const loadersOf = (sent: { loader: string }[]) => sent.map(({ loader }) => loader).join('');

describe('listening', () => {
  test('one that is silent for lateMs is late, after one more look; the next is asked', () => {
    const request = startRequest('a', 'b');
    request.moveTo(lateMs - 1);
    expect(request.state()).toEqual({ name: 'listening', dueMs: lateMs });
    request.moveTo(lateMs);
    expect(request.state()).toEqual({ name: 'overdue', dueMs: lateMs + pollMs });
    expect(request.late).toEqual([]);
    request.moveTo(lateMs + pollMs);
    expect(request.late).toEqual(['a']);
    expect(request.sent).toEqual([
      { loader: 'a', atMs: 0 },
      { loader: 'b', atMs: lateMs + pollMs },
    ]);
  });

  test('one that answers other requests is not late', () => {
    const request = startRequest('a', 'b');
    for (let nowMs = 500; nowMs <= 20_000; nowMs += 500) {
      request.world.heard.set('a', nowMs);
      request.moveTo(nowMs);
    }
    expect(loadersOf(request.sent)).toBe('a');
    request.moveTo(20_000 + lateMs + 2 * pollMs);
    expect(request.late).toEqual(['a']);
    expect(loadersOf(request.sent)).toBe('ab');
  });

  test('while NATS is down none is late and none is asked; when it is back the order begins again', () => {
    const request = startRequest('a', 'b');
    request.world.isDown = true;
    request.moveTo(60_000);
    expect(request.late).toEqual([]);
    expect(request.state().name).toBe('waiting');
    expect(loadersOf(request.sent)).toBe('a');
    request.world.isDown = false;
    request.take({ type: 'reconnected' });
    expect(request.sent[1]).toEqual({ loader: 'a', atMs: 60_000 });
    expect(request.asking().attempts.map(({ isSpent }) => isSpent)).toEqual([true, false]);
  });

  test('a late one that then proves unusable is not missed: only the newest moves the request', () => {
    const request = startRequest('a', 'b', 'c');
    request.moveTo(lateMs + pollMs);
    request.take({ type: 'unusable', attempt: 0 });
    expect(loadersOf(request.sent)).toBe('ab');
    request.take({ type: 'unusable', attempt: 1 });
    request.take({ type: 'unusable', attempt: 1 });
    expect(loadersOf(request.sent)).toBe('abc');
  });
});

describe('waiting', () => {
  test('for the first data-loader to appear', () => {
    const request = startRequest();
    request.moveTo(10_000);
    expect(request.state()).toEqual({ name: 'waiting', dueMs: 10_000 + pollMs });
    request.world.loaders = ['a'];
    request.moveTo(10_000 + pollMs);
    expect(request.sent).toEqual([{ loader: 'a', atMs: 10_000 + pollMs }]);
  });

  test('while the only one still works on the batch: twice as long each round', () => {
    const request = startRequest('a');
    request.moveTo(200_000);
    const rounds = request.sent.map(({ atMs }) => atMs);
    const pauses = rounds.slice(1).map((atMs, i) => atMs - rounds[i] - lateMs - pollMs);
    // A poll later than the pause's end, at which the round begins.
    expect(pauses.slice(0, 4)).toEqual([2_000, 4_000, 8_000, 16_000].map((pauseMs) => pauseMs + pollMs));
    expect(pauses.slice(4).every((pauseMs) => pauseMs === 30_000 + pollMs)).toBe(true);
  });

  test('a data-loader that appears during the pause is asked at once', () => {
    const request = startRequest('a');
    request.moveTo(3_000);
    expect(request.state().name).toBe('waiting');
    request.world.loaders = ['a', 'b'];
    request.moveTo(3_000 + pollMs);
    expect(loadersOf(request.sent)).toBe('ab');
  });

  test('until a busy one may be asked again', () => {
    const request = startRequest('a');
    request.world.resting.set('a', 700);
    request.refuse(0, 'busy');
    request.moveTo(699);
    expect(loadersOf(request.sent)).toBe('a');
    request.moveTo(700 + pollMs);
    expect(request.sent[1]).toEqual({ loader: 'a', atMs: 700 });
    expect(request.asking().refusals).toEqual([]);
  });
});

describe('refusals', () => {
  test('a refusal moves the request at once, and is remembered with its machine and its time', () => {
    const request = startRequest('a', 'b');
    request.moveTo(40);
    request.refuse(0, 'no-space');
    expect(request.sent[1]).toEqual({ loader: 'b', atMs: 40 });
    expect(request.asking().refusals).toEqual([
      { code: 'unavailable', machine: 'host of a', process: 0, begunMs: 0, failedMs: 40 },
    ]);
  });

  test('two machines that blame the batch end the request with the last message and its hint', () => {
    const request = startRequest('a', 'b', 'c');
    request.refuse(0, 'corrupt');
    request.refuse(1, 'corrupt', 'prepare it again');
    expect(request.state()).toMatchObject({
      name: 'failed',
      error: { code: 'corrupt', message: 'corrupt at b', options: { hint: 'prepare it again' } },
    });
    const failed = request.asking();
    request.take({ type: 'due' });
    expect(request.asking()).toBe(failed);
  });

  test('a refusal counts even if it comes late', () => {
    const request = startRequest('a', 'b');
    request.moveTo(lateMs + pollMs);
    request.refuse(1, 'invalid');
    request.refuse(0, 'invalid');
    expect(request.state()).toMatchObject({ name: 'failed', error: { code: 'invalid' } });
  });

  test('a transition leaves the request before it as it was', () => {
    const request = startRequest('a', 'b');
    const before = request.asking();
    const copy = structuredClone(before);
    request.refuse(0, 'failed');
    request.moveTo(60_000);
    request.take({ type: 'reconnected' });
    expect(before).toEqual(copy);
  });
});
