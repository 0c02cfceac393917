import { describe, expect, test } from 'vitest';
import { loadersInOrder, type KnownLoader } from './loader-choice.js';

const silenceMs = 3_000;
const nowMs = 100_000;
const loader = (id: string, changes: Partial<KnownLoader> = {}): KnownLoader => ({
  id,
  seenMs: nowMs,
  draining: false,
  avoidedUntilMs: 0,
  machine: '',
  ...changes,
});
const replicas = Array.from({ length: 60 }, (_, i) => i);
const order = (loaders: KnownLoader[], replica: number, count = replicas.length) =>
  loadersInOrder(loaders, { replica, replicas: count }, nowMs, silenceMs);
const firsts = (loaders: KnownLoader[]) => replicas.map((replica) => order(loaders, replica)[0]);

describe('which data-loader a replica asks', () => {
  test('none if none is known', () => {
    expect(order([], 0)).toEqual([]);
  });

  test('the same whatever the order in which they were found', () => {
    const loaders = ['a', 'b', 'c'].map((id) => loader(id));
    expect(firsts(loaders)).toEqual(firsts(loaders.toReversed()));
  });

  test.each([2, 3, 7, 60])('none has more than an even share of %i replicas, rounded up', (count) => {
    for (const loaders of [2, 3, 5].map((n) => Array.from({ length: n }, (_, i) => loader(`${n}-${i}`)))) {
      const chosen = replicas.slice(0, count).map((replica) => order(loaders, replica, count)[0]);
      const shares = loaders.map(({ id }) => chosen.filter((other) => other === id).length);
      expect(Math.max(...shares)).toBe(Math.ceil(count / loaders.length));
    }
  });

  test('when one joins or leaves, most replicas stay', () => {
    const few = ['a', 'b', 'c'].map((id) => loader(id));
    const before = firsts(few);
    const after = firsts([...few, loader('d')]);
    const moved = replicas.filter((replica) => before[replica] !== after[replica]);
    expect(moved.filter((replica) => after[replica] === 'd')).toHaveLength(15);
    expect(moved.length).toBeLessThan(30);
  });

  test('one silent for three announcements is gone, one that is a little late is not', () => {
    const loaders = [loader('a', { seenMs: nowMs - 3_001 }), loader('b', { seenMs: nowMs - 2_999 })];
    for (const replica of replicas) expect(order(loaders, replica)).toEqual(['b']);
  });

  test('a draining one is not asked', () => {
    const loaders = [loader('a', { draining: true }), loader('b')];
    for (const replica of replicas) expect(order(loaders, replica)).toEqual(['b']);
  });

  test('a late one comes last, until that is forgotten', () => {
    const others = [loader('a'), loader('b')];
    const late = [...others, loader('c', { avoidedUntilMs: nowMs + 1 })];
    for (const replica of replicas) expect(order(late, replica)).toEqual([...order(others, replica), 'c']);
    const forgiven = [...others, loader('c', { avoidedUntilMs: nowMs })];
    expect(new Set(firsts(forgiven))).toContain('c');
  });

  test('when all were late, the order is as if none had been', () => {
    const loaders = ['a', 'b', 'c'].map((id) => loader(id));
    const late = loaders.map((each) => ({ ...each, avoidedUntilMs: nowMs + 1 }));
    for (const replica of replicas) expect(order(late, replica)).toEqual(order(loaders, replica));
  });
});
