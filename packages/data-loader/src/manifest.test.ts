import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openStore, type ObjectStore } from '@fourfold/common';
import { datasetDigest, readDatasetManifest, type DatasetManifest } from './manifest.js';

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-manifest-'));
  store = openStore(folder);
});
afterEach(async () => rm(folder, { recursive: true }));

const manifest: DatasetManifest = {
  format: 'fourfold-dataset',
  version: 1,
  name: 'test',
  pictures: 3,
  samples: 3,
  minimumSide: 96,
  tile: null,
  shards: [{ file: 'shard-000000.tar', sizeBytes: 10, sha256: 'a'.repeat(64), samples: 3 }],
};

const put = (value: unknown) => store.put('manifest.json', JSON.stringify(value));

it('is read as it was written', async () => {
  await put(manifest);
  expect(await readDatasetManifest(store)).toEqual(manifest);
});

it('is missing, foreign, newer or damaged: each has its own error', async () => {
  await expect(readDatasetManifest(store)).rejects.toMatchObject({ code: 'not-found' });
  await put({ name: 'something else' });
  await expect(readDatasetManifest(store)).rejects.toThrow('is no dataset manifest');
  await put({ ...manifest, version: 2 });
  await expect(readDatasetManifest(store)).rejects.toThrow('format version 2, this program reads 1');
  await put({ ...manifest, shards: [] });
  await expect(readDatasetManifest(store)).rejects.toMatchObject({ code: 'corrupt' });
  await put({ ...manifest, samples: 4 });
  await expect(readDatasetManifest(store)).rejects.toThrow('its shards do not add up to its samples');
  await store.put('manifest.json', '{"format"');
  await expect(readDatasetManifest(store)).rejects.toThrow('is not JSON');
});

it('has a digest of what decides the batches', () => {
  const other = { ...manifest.shards[0], sha256: 'b'.repeat(64) };
  expect(datasetDigest({ ...manifest, name: 'other' })).toBe(datasetDigest(manifest));
  expect(datasetDigest({ ...manifest, shards: [other] })).not.toBe(datasetDigest(manifest));
});
