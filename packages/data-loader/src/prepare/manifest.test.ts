import { sha256 } from '@fourfold/common';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type ObjectStore } from '@fourfold/store';
import { manifestKey, readDatasetManifest } from './manifest.js';

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-manifest-'));
  store = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const write = (file: string) =>
  store.put(
    manifestKey,
    JSON.stringify({
      ...{
        format: 'fourfold-dataset',
        version: 1,
        name: 'small',
        pictures: 1,
        samples: 1,
        minimumSide: 96,
        tile: null,
      },
      shards: [{ file, sizeBytes: 1, sha256: sha256('a shard'), samples: 1 }],
    }),
  );

test('a shard is named by a base name', async () => {
  await write('shard-000000.tar');
  expect((await readDatasetManifest(store)).shards).toHaveLength(1);
});

test.each([
  '../shard-000000.tar',
  '/etc/passwd',
  'deep/shard-000000.tar',
  '.',
  '.shard-000000.tar',
  '',
  'a\\b',
  'a\0b',
])('a manifest that names a shard %j is refused', async (file) => {
  await write(file);
  await expect(readDatasetManifest(store)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('must be the name of a file that is not hidden, without a folder') as string,
  });
});

test('a manifest of version 1 is read as one of encoded pictures', async () => {
  await write('shard-000000.tar');
  expect(await readDatasetManifest(store)).toMatchObject({ version: 2, encoding: 'keep' });
});

test('given LR pictures in encoding keep, which stores none, are refused', async () => {
  await write('shard-000000.tar');
  const first = await readDatasetManifest(store);
  await store.put(manifestKey, JSON.stringify({ ...first, lr: 'given' }));
  await expect(readDatasetManifest(store)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('LR pictures cannot be given in encoding keep') as string,
  });
});

test('shards of pixels without an index are refused', async () => {
  await write('shard-000000.tar');
  const first = await readDatasetManifest(store);
  await store.put(manifestKey, JSON.stringify({ ...first, encoding: 'pixels' }));
  await expect(readDatasetManifest(store)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('its shard-000000.tar has no index') as string,
  });
});
