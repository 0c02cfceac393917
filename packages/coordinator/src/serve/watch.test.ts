import { EventEmitter } from 'node:events';
import type { RunStatus } from '@fourfold/rpc';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createWatch, type WatchCall } from './watch.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A call whose buffer holds `room` states until it is read. */
class FakeCall extends EventEmitter {
  readonly written: RunStatus[] = [];
  constructor(public room = Infinity) {
    super();
  }
  get writableNeedDrain(): boolean {
    return this.written.length >= this.room;
  }
  write(state: RunStatus): boolean {
    this.written.push(state);
    return !this.writableNeedDrain;
  }
}
const fakeCall = (room?: number) => new FakeCall(room) as FakeCall & WatchCall;

test('a watcher gets the state at once, then the changes', () => {
  let iteration = 1;
  const call = fakeCall();
  createWatch(() => ({ iteration }))(call);
  vi.advanceTimersByTime(1_000);
  expect(call.written).toEqual([{ iteration: 1 }]);
  iteration = 2;
  vi.advanceTimersByTime(1_000);
  expect(call.written).toEqual([{ iteration: 1 }, { iteration: 2 }]);
});

test('a watcher that does not read misses states, and gets the newest when it does', () => {
  let iteration = 0;
  const call = fakeCall(3);
  createWatch(() => ({ iteration: iteration++ }))(call);
  vi.advanceTimersByTime(60_000);
  expect(call.written).toEqual([{ iteration: 0 }, { iteration: 1 }, { iteration: 2 }]);
  call.room = 4;
  iteration = 900;
  vi.advanceTimersByTime(60_000);
  expect(call.written.slice(3)).toEqual([{ iteration: 900 }]);
});

test('at most a hundred may watch; a watcher that leaves makes room, once', () => {
  const watch = createWatch(() => ({}));
  const calls = Array.from({ length: 100 }, () => fakeCall());
  for (const call of calls) watch(call);
  const refuse = () => {
    const call = fakeCall();
    const ended = new Promise<Error>((resolve) => call.once('error', resolve));
    watch(call);
    return ended;
  };
  const refusal = refuse();
  for (const event of ['cancelled', 'close']) calls[0].emit(event);
  const another = fakeCall();
  watch(another);
  expect(another.written).toHaveLength(1);
  const again = refuse();
  return expect(Promise.all([refusal, again])).resolves.toMatchObject([
    { details: '100 watchers are already connected' },
    { details: '100 watchers are already connected' },
  ]);
});
