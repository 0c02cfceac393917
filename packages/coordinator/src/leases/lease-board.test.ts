import { createLogger } from '@fourfold/common';
import type { Token__Output } from '@fourfold/rpc';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Seat } from './board-effects.js';
import { createLeaseBoard, type LeaseBoard } from './lease-board.js';

const timing = { leaseMs: 1_000, silenceMs: 500, stragglerFactor: 3 };
const workers = { minimumToStart: 1, minimumToContinue: 1 };
const log = createLogger('test');
log.level = 'silent';
const never = new AbortController().signal;

let mayGrant: boolean;
let board: LeaseBoard<string, string>;
beforeEach(() => {
  mayGrant = true;
  board = createLeaseBoard<string, string>(3, { timing, workers, mayGrant: () => mayGrant }, log);
});

afterEach(() => {
  vi.useRealTimers();
});

/** A worker that records what the board tells it. */
function join() {
  const granted: { token: Token__Output; work: string }[] = [];
  const ended: Token__Output[] = [];
  const dropped: string[] = [];
  const seat: Seat<string> = {
    grant: (token, _leaseMs, work) => granted.push({ token, work }),
    end: (token) => ended.push(token),
    drop: (reason) => dropped.push(reason),
  };
  return { id: board.join(seat), granted, ended, dropped };
}

function add(...keys: string[]): void {
  for (const key of keys) board.add({ key, priority: 0, work: `work of ${key}` });
  board.replan();
}

test('a lease, its answer, its end', async () => {
  const worker = join();
  add('a');
  const [{ token, work }] = worker.granted;
  expect({ token, work }).toEqual({ token: { term: 3, number: 1 }, work: 'work of a' });
  const offer = board.nextOffer('a', never);
  expect(board.offer(worker.id, token, 'result')).toBe(true);
  expect(await offer).toMatchObject({ worker: worker.id, token, result: 'result' });
  expect(worker.ended).toEqual([]);
  board.finish('a');
  expect(worker.ended).toEqual([token]);
});

test('tasks wait for workers, and a worker holds at most two leases', () => {
  add('a', 'b', 'c');
  const worker = join();
  expect(worker.granted.map(({ work }) => work)).toEqual(['work of a', 'work of b']);
  board.offer(worker.id, worker.granted[0].token, 'result');
  expect(worker.granted.map(({ work }) => work)).toEqual(['work of a', 'work of b', 'work of c']);
});

test('a lost worker’s tasks move, and its late answer is refused and counted', async () => {
  const first = join();
  add('a');
  const late = first.granted[0].token;
  const second = join();
  board.leave(first.id, 'its connection broke');
  expect(first.dropped).toEqual(['its connection broke']);
  expect(second.granted.map(({ work, token }) => [work, token.number])).toEqual([['work of a', 2]]);
  expect(board.workerCount()).toBe(1);
  expect(board.offer(first.id, late, 'late')).toBe(false);
  expect(board.counts()).toMatchObject({ refused: 1, moved: 1, granted: 2 });
  board.offer(second.id, second.granted[0].token, 'in time');
  expect((await board.nextOffer('a', never)).result).toBe('in time');
});

test('a token is valid for its own worker, once, in its own term', () => {
  const [first, second] = [join(), join()];
  add('a');
  const { token } = first.granted[0];
  expect(board.offer(second.id, token, 'stolen')).toBe(false);
  expect(second.ended).toEqual([token]);
  expect(board.offer(first.id, { ...token, term: 2 }, 'of an older term')).toBe(false);
  expect(board.offer(first.id, token, 'result')).toBe(true);
  expect(board.offer(first.id, token, 'again')).toBe(false);
  expect(board.counts().refused).toBe(3);
});

test('an answer dies with its worker: its signal is aborted and the task is granted again', async () => {
  const first = join();
  add('a');
  board.offer(first.id, first.granted[0].token, 'lost');
  const offer = await board.nextOffer('a', never);
  expect(offer.signal.aborted).toBe(false);
  board.leave(first.id, 'killed');
  expect(offer.signal.aborted).toBe(true);
  const next = board.nextOffer('a', never);
  const second = join();
  board.offer(second.id, second.granted[0].token, 'again');
  expect((await next).result).toBe('again');
});

test('a rejected answer’s task is open again; rejecting an old token does nothing', async () => {
  const worker = join();
  add('a');
  const old = worker.granted[0].token;
  board.offer(worker.id, old, 'NaN');
  board.reject(old, 'not finite');
  expect(worker.ended).toEqual([old]);
  const { token } = worker.granted[1];
  board.reject(old, 'not finite');
  expect(worker.granted).toHaveLength(2);
  expect(board.offer(worker.id, token, 'good')).toBe(true);
  expect((await board.nextOffer('a', never)).result).toBe('good');
});

test('a silent worker is dropped when the board plans, and its tasks move', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const [first, second] = [join(), join()];
  add('a', 'b');
  vi.advanceTimersByTime(300);
  board.seen(second.id);
  board.replan();
  expect(board.workerCount()).toBe(2);
  vi.advanceTimersByTime(300);
  board.replan();
  expect(first.dropped).toEqual(['silent for 600 ms']);
  expect(second.granted.map(({ work }) => work)).toEqual(['work of b', 'work of a']);
});

test('a worker whose lease ran out is dropped, though it is not silent', () => {
  const patient = { ...timing, leaseMs: 100, silenceMs: 60_000 };
  board = createLeaseBoard<string, string>(3, { timing: patient, workers, mayGrant: () => true }, log);
  const worker = join();
  add('a');
  const later = performance.now() + 2 * 100 + 1;
  board.replan(later);
  expect(worker.dropped).toEqual(['its lease of a ran out']);
  const next = join();
  expect(next.granted.map(({ work }) => work)).toEqual(['work of a']);
});

test('a board that may not grant grants nothing and drops nobody', () => {
  mayGrant = false;
  const worker = join();
  add('a');
  board.replan(performance.now() + 60_000);
  expect(worker).toMatchObject({ granted: [], dropped: [] });
  mayGrant = true;
  board.replan();
  expect(worker.granted).toHaveLength(1);
});

test('a worker gets the tasks that it has cached', () => {
  const workers = [join(), join()];
  board.add({ key: 'first half', priority: 0, work: '' }, 0);
  board.replan();
  const [{ token }] = workers[0].granted;
  board.offer(workers[0].id, token, 'gradient');
  board.finish('first half', 0);
  board.add({ key: 'other', priority: 0, work: 'other' }, 1);
  board.add({ key: 'second half', priority: 0, work: 'second half' }, 0);
  board.replan();
  expect(workers[0].granted.map(({ work }) => work)).toEqual(['', 'second half']);
  expect(workers[1].granted.map(({ work }) => work)).toEqual(['other']);
});

test('clear ends all leases; waiting ends with its signal', async () => {
  const worker = join();
  add('a', 'b');
  const stop = new AbortController();
  const waiting = board.nextOffer('a', stop.signal);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
  await expect(board.nextOffer('b', stop.signal)).rejects.toThrow('stopped');
  board.clear();
  expect(worker.ended.map(({ number }) => number)).toEqual([1, 2]);
  expect(board.offer(worker.id, worker.granted[0].token, 'late')).toBe(false);
  expect(() => board.finish('a')).toThrow('a has no holder');
});

/** A worker that has the task a of a kind that usually takes 10 ms, and an idle one. */
function startStraggling() {
  vi.useFakeTimers({ toFake: ['performance'] });
  const slow = join();
  const kind = 'half';
  for (let i = 0; i < 8; i++) {
    board.add({ key: `usual ${i}`, priority: 0, kind, work: '' });
    board.replan();
    vi.advanceTimersByTime(10);
    board.offer(slow.id, slow.granted[slow.granted.length - 1].token, '');
    board.finish(`usual ${i}`);
  }
  const idle = join();
  board.add({ key: 'a', priority: 0, kind, work: 'work of a' });
  board.replan();
  return { slow, idle };
}

test('a straggler’s task also goes to an idle worker; the first answer counts and the other is refused', async () => {
  const { slow, idle } = startStraggling();
  const first = slow.granted[slow.granted.length - 1];
  expect(first.work).toBe('work of a');
  vi.advanceTimersByTime(31);
  board.replan();
  board.replan();
  expect(idle.granted.map(({ work }) => work)).toEqual(['work of a']);
  expect(board.counts()).toMatchObject({ straggling: 1, moved: 0 });
  expect(board.offer(idle.id, idle.granted[0].token, 'of the idle one')).toBe(true);
  expect(slow.ended).toContainEqual(first.token);
  expect(board.offer(slow.id, first.token, 'of the slow one')).toBe(false);
  expect((await board.nextOffer('a', never)).result).toBe('of the idle one');
  expect(board.counts().refused).toBe(1);
});

test('the straggler may still answer first; the helper’s lease ends', async () => {
  const { slow, idle } = startStraggling();
  vi.advanceTimersByTime(31);
  board.replan();
  expect(board.offer(slow.id, slow.granted[slow.granted.length - 1].token, 'after all')).toBe(true);
  expect(idle.ended).toEqual([idle.granted[0].token]);
  board.leave(idle.id, 'gone');
  expect((await board.nextOffer('a', never)).result).toBe('after all');
});

test('a run starts with one number of workers and continues with another', () => {
  const minimum = { minimumToStart: 2, minimumToContinue: 1 };
  board = createLeaseBoard<string, string>(3, { timing, workers: minimum, mayGrant: () => true }, log);
  const first = join();
  add('a');
  expect(first.granted).toEqual([]);
  expect(board.describeWaiting()).toBe('workers: 1 joined, 2 needed');
  const second = join();
  expect(first.granted.map(({ work }) => work)).toEqual(['work of a']);
  expect(board.describeWaiting()).toBe('a by worker 1');
  board.leave(first.id, 'gone');
  expect(second.granted.map(({ work }) => work)).toEqual(['work of a']);
  board.leave(second.id, 'gone');
  expect(board.describeWaiting()).toBe('workers: 0 joined, 1 needed');
});

test('the seated workers, and the tasks of each', async () => {
  const [first, second] = [join(), join()];
  add('a', 'b', 'c');
  expect(board.seated().map(({ worker, tasks }) => [worker, tasks])).toEqual([
    [first.id, ['a', 'c']],
    [second.id, ['b']],
  ]);
  board.offer(second.id, second.granted[0].token, 'gradient');
  expect(board.seated()[1].tasks).toEqual([]);
  board.leave(first.id, 'it left');
  expect(board.seated().map(({ worker, tasks }) => [worker, tasks])).toEqual([[second.id, ['a', 'c']]]);
});
