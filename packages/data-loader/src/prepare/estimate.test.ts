import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '@fourfold/store';
import { photographPath } from '../test-pictures.js';
import { checkRoom } from './estimate.js';
import { prepare, prepareDefaults, type PrepareOptions } from './prepare.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-estimate-'));
});
afterEach(() => rm(folder, { recursive: true }));

test.each<[string, Partial<PrepareOptions>, number]>([
  ['pixels', { encoding: 'pixels' }, 0.02],
  ['tiles of pixels', { encoding: 'pixels', tile: 240 }, 0.15],
  ['pictures as they are', {}, 0.02],
  ['tiles', { tile: 240 }, 0.35],
])('what a dataset takes is said before it is made: %s', async (_, changes, tolerance) => {
  const said: number[] = [];
  const images = photographPath('held-out');
  const onEstimate = ({ sizeBytes, freeBytes }: { sizeBytes: number; freeBytes?: number }) => {
    said.push(sizeBytes);
    expect(freeBytes).toBeGreaterThan(0);
  };
  const store = openStore(join(folder, 'deep', 'dataset'));
  const { manifest } = await prepare({ ...prepareDefaults, images, store, name: 'a', onEstimate, ...changes });
  const sizeBytes = manifest.shards.reduce((sum, shard) => sum + shard.sizeBytes, 0);
  expect(said).toHaveLength(1);
  expect(Math.abs(said[0] / sizeBytes - 1)).toBeLessThan(tolerance);
});

test('a disk that is certainly too small is refused', () => {
  const store = openStore(folder);
  expect(() => checkRoom({ sizeBytes: 9e9, freeBytes: 8e9 }, store)).not.toThrow();
  expect(() => checkRoom({ sizeBytes: 9e9 }, store)).not.toThrow();
  expect(() => checkRoom({ sizeBytes: 9e9, freeBytes: 2e9, leftBytes: 6e9 }, store)).not.toThrow();
  expect(() => checkRoom({ sizeBytes: 9e9, freeBytes: 5e9 }, store)).toThrow(
    /the dataset would take about 9.0 GB, but only 5.0 GB are free/,
  );
});
