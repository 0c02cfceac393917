import { describe, expect, test } from 'vitest';
import { loadersInOrder, type KnownLoader } from './loader-choice.js';

const silenceMs = 3_000;
const nowMs = 100_000;
const loader = (id: string, changes: Partial<KnownLoader> = {}): KnownLoader => ({
  id,
  seenMs: nowMs,
  draining: false,
  avoidedUntilMs: 0,
  ...changes,
});
const replicas = Array.from({ length: 60 }, (_, i) => i);
const order = (loaders: KnownLoader[], replica: number) => loadersInOrder(loaders, replica, nowMs, silenceMs);
const firsts = (loaders: KnownLoader[]) => replicas.map((replica) => order(loaders, replica)[0]);

describe('which data-loader a replica asks', () => {
  test('none where none is known', () => {
    expect(order([], 0)).toEqual([]);
  });

  test('the same whatever the order in which they were heard of', () => {
    const loaders = ['a', 'b', 'c'].map((id) => loader(id));
    expect(firsts(loaders)).toEqual(firsts(loaders.toReversed()));
  });

  test('all of them have about as many replicas', () => {
    const chosen = firsts(['a', 'b', 'c'].map((id) => loader(id)));
    for (const id of ['a', 'b', 'c']) {
      const share = chosen.filter((other) => other === id).length;
      expect(share).toBeGreaterThan(10);
      expect(share).toBeLessThan(30);
    }
  });

  test('when one joins, replicas move to it alone; when it leaves, only they move back', () => {
    const few = ['a', 'b', 'c'].map((id) => loader(id));
    const before = firsts(few);
    const after = firsts([...few, loader('d')]);
    const moved = replicas.filter((replica) => before[replica] !== after[replica]);
    expect(moved.length).toBeGreaterThan(0);
    expect(new Set(moved.map((replica) => after[replica]))).toEqual(new Set(['d']));
  });

  test('one silent for three announcements is gone, one that is a little late is not', () => {
    const loaders = [loader('a', { seenMs: nowMs - 3_001 }), loader('b', { seenMs: nowMs - 2_999 })];
    for (const replica of replicas) expect(order(loaders, replica)).toEqual(['b']);
  });

  test('one that drains is not asked', () => {
    const loaders = [loader('a', { draining: true }), loader('b')];
    for (const replica of replicas) expect(order(loaders, replica)).toEqual(['b']);
  });

  test('one that was late comes last, until that is forgotten', () => {
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
