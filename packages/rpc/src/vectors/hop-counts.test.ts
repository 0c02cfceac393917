import { expect, test } from 'vitest';
import type { Metrics, Readings } from '@fourfold/common';
import { addHopMetrics, createHopCounts } from './hop-counts.js';

test('bytes and waits are counted by kind and peer, of the peers that sent last', () => {
  const counts = createHopCounts();
  counts.add('sum', 'a', 3, 10);
  counts.add('parameters', 'a', 5, 20);
  counts.add('sum', 'a', 4, 5);
  expect(counts.read()).toEqual([
    { kind: 'parameters', peer: 'a', bytes: 5, waitedMs: 20 },
    { kind: 'sum', peer: 'a', bytes: 7, waitedMs: 15 },
  ]);
  for (let peer = 0; peer < 100; peer++) counts.add('sum', String(peer), 1, 1);
  const peers = counts.read().map(({ peer }) => Number(peer));
  expect([peers.length, peers[0], peers.at(-1)]).toEqual([16, 84, 99]);
});

test('only the time in which a piece is waited for counts, not what is done with it', async () => {
  let nowMs = 0;
  const counts = createHopCounts(() => nowMs);
  const pieces = async function* () {
    for (const waitMs of [7, 2]) {
      nowMs += waitMs;
      yield { bytes: new Uint8Array(10) };
    }
  };
  const ends: number[] = [];
  const reached = counts.reaching('b', (end) => ends.push(end));
  for (const end of [4, 6]) {
    nowMs += 3;
    reached(end);
  }
  expect([ends, counts.read()]).toEqual([[4, 6], [{ kind: 'parameters', peer: 'b', bytes: 6, waitedMs: 6 }]]);
  for await (const { bytes } of counts.counted('a', pieces())) nowMs += 1000 * bytes.byteLength;
  expect(counts.read()[1]).toEqual({ kind: 'sum', peer: 'a', bytes: 20, waitedMs: 9 });
});

test('what has not come yet is zero, and not absent', () => {
  const counts = createHopCounts();
  const read: (() => Readings)[] = [];
  const counter: Metrics['counter'] = (_name, _help, _labels, reading) => read.push(reading);
  addHopMetrics({ counter } as Metrics, counts);
  counts.add('sum', 'a', 3, 2000);
  expect(read.map((reading) => reading())).toEqual([
    [
      [{ kind: 'sum', peer: 'a' }, 3],
      [{ kind: 'parameters', peer: '' }, 0],
    ],
    [
      [{ kind: 'sum', peer: 'a' }, 2],
      [{ kind: 'parameters', peer: '' }, 0],
    ],
  ]);
});
