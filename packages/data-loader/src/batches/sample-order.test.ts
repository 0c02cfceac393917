import { describe, expect, it } from 'vitest';
import { createSampleOrder, replicaPositions, shardsInWindow, type CropKey } from './sample-order.js';

const shardSamples = [7, 13, 1, 10, 9];
const samples = 40;
const name = ({ shard, sample }: CropKey) => `${shard}/${sample}`;

const epochOf = (seed: number, epoch: number, windowPictures: number, cropsPerPicture: number) => {
  const order = createSampleOrder({ seed, shardSamples, windowPictures, cropsPerPicture });
  const length = samples * cropsPerPicture;
  return Array.from({ length }, (_, i) => order.at(epoch * length + i));
};

describe('sample order', () => {
  it.each([
    [1, 8],
    [3, 8],
    [5, 1000],
    [2, 1],
  ])('uses each sample %i times an epoch, in windows of %i', (cropsPerPicture, windowPictures) => {
    for (const epoch of [0, 1, 7]) {
      const keys = epochOf(3, epoch, windowPictures, cropsPerPicture);
      const uses = new Map<string, number[]>();
      for (const key of keys) {
        expect(key.epoch).toBe(epoch);
        expect(key.sample).toBeLessThan(shardSamples[key.shard]);
        uses.set(name(key), [...(uses.get(name(key)) ?? []), key.repeat]);
      }
      expect(uses.size).toBe(samples);
      const repeats = Array.from({ length: cropsPerPicture }, (_, i) => i);
      for (const found of uses.values()) expect(found.sort()).toEqual(repeats);
      for (let start = 0; start < keys.length; start += windowPictures * cropsPerPicture) {
        const window = keys.slice(start, start + windowPictures * cropsPerPicture);
        const pictures = new Set(window.map(name));
        expect(pictures.size).toBe(window.length / cropsPerPicture);
        const shards = new Set(window.map((key) => key.shard)).size;
        expect(shards).toBeLessThanOrEqual(shardsInWindow(shardSamples, windowPictures));
      }
    }
  });

  it('reads shards in the order of the epoch, each in one stretch of windows', () => {
    const windows = Array.from({ length: 5 }, (_, w) => epochOf(1, 2, 8, 2).slice(w * 16, (w + 1) * 16));
    for (const shard of shardSamples.keys()) {
      const using = windows.flatMap((keys, w) => (keys.some((key) => key.shard === shard) ? [w] : []));
      expect(using.at(-1)! - using[0]).toBe(using.length - 1);
    }
  });

  it('differs between epochs and seeds', () => {
    const first = epochOf(1, 0, 8, 1).map(name);
    expect(epochOf(1, 1, 8, 1).map(name)).not.toEqual(first);
    expect(epochOf(2, 0, 8, 1).map(name)).not.toEqual(first);
  });

  it('gives the same keys whatever was asked for before', () => {
    const options = { seed: 9, shardSamples, windowPictures: 4, cropsPerPicture: 3 };
    const forwards = createSampleOrder(options);
    const backwards = createSampleOrder(options);
    const positions = Array.from({ length: 1000 }, (_, i) => i);
    const expected = positions.map((position) => forwards.at(position));
    expect(
      positions
        .reverse()
        .map((position) => backwards.at(position))
        .reverse(),
    ).toEqual(expected);
  });

  it('finds its place among 350,000 samples at once', () => {
    const order = createSampleOrder({
      seed: 1,
      shardSamples: Array<number>(700).fill(500),
      windowPictures: 1024,
      cropsPerPicture: 4,
    });
    const before = process.cpuUsage();
    const key = order.at(123_456_789);
    // Not of the clock: other processes may have the processor meanwhile.
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
    expect(key.epoch).toBe(Math.floor(123_456_789 / 1_400_000));
  });
});

it('divides the global batch among the replicas', () => {
  const config = { globalBatch: 12, replicas: 3 };
  expect([0, 1, 2].flatMap((replica) => replicaPositions(config, 5, replica))).toEqual(
    Array.from({ length: 12 }, (_, i) => 60 + i),
  );
});
