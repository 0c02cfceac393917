import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { FourfoldError } from '@fourfold/common';
import { openStore, type ObjectStore } from '@fourfold/store';
import { createBatchSource } from '../batches/batch-source.js';
import type { DatasetManifest, DatasetShard } from '../prepare/manifest.js';
import { prepare, prepareDefaults } from '../prepare/prepare.js';
import { createShardCache } from './shard-cache.js';
import { dataConfig, photographPath } from '../test-pictures.js';

const anotherId = '0b5a1f2e-1111-4222-8333-444455556666';
/** Holds the dataset of which each test has a copy. */
let prepared: string;
let folder: string;
let cacheFolder: string;
let manifest: DatasetManifest;
/** The dataset as in a remote object store: not files of this machine. */
let far: ObjectStore;
let local: ObjectStore;
const reads: string[] = [];

beforeAll(async () => {
  prepared = await mkdtemp(join(tmpdir(), 'fourfold-shard-cache-dataset-'));
  const images = photographPath('train');
  const store = openStore(prepared);
  ({ manifest } = await prepare({
    ...prepareDefaults,
    ...{ images, store, name: 'small', tile: 240, shardSizeBytes: 2 ** 20 },
  }));
});
afterAll(() => rm(prepared, { recursive: true }));

beforeEach(async () => {
  vi.stubEnv('FOURFOLD_LOG', 'silent');
  folder = await mkdtemp(join(tmpdir(), 'fourfold-shard-cache-'));
  cacheFolder = join(folder, 'cache');
  local = openStore(join(folder, 'dataset'));
  await cp(prepared, join(folder, 'dataset'), { recursive: true });
  reads.length = 0;
  far = {
    ...local,
    url: 's3://far/dataset',
    filePath: undefined,
    read(key, begin) {
      reads.push(key);
      return local.read(key, begin);
    },
  };
});
afterEach(() => {
  vi.unstubAllEnvs();
  return rm(folder, { recursive: true });
});

const cached = async () => (await readdir(cacheFolder)).sort();
const nameOf = ({ sha256 }: DatasetShard) => `${sha256}.tar`;
/** What another process has fetched of a shard so far. */
const partialOf = ({ sha256 }: DatasetShard) => join(cacheFolder, `${sha256}.partial-${anotherId}`);
/** Fetch a shard and set its last use to this many seconds ago. */
async function fetchOld(shard: DatasetShard, secondsAgo: number, cacheBytes = 2 ** 30): Promise<void> {
  const file = await createShardCache({ cacheFolder, cacheBytes }).open(far, shard);
  await file.close();
  const time = new Date(Date.now() - secondsAgo * 1000);
  await utimes(join(cacheFolder, nameOf(shard)), time, time);
}

describe('batches from a store that is not a folder', () => {
  const sourceOf = (store: ObjectStore) =>
    createBatchSource({
      store,
      manifest,
      data: dataConfig({ globalBatch: 8, windowPictures: 4, cacheFolder }),
      seed: 1,
    });

  it('equal those from a folder bit for bit, and each shard is fetched once', async () => {
    const sources = [sourceOf(far), sourceOf(local)];
    for (let iteration = 0; iteration < Math.floor(manifest.samples / 8); iteration++) {
      const [there, here] = await Promise.all(sources.map((source) => source.batch(iteration, 0)));
      expect(Buffer.compare(there.hr, here.hr)).toBe(0);
      expect(Buffer.compare(there.lr, here.lr)).toBe(0);
    }
    expect(reads.sort()).toEqual(manifest.shards.map(({ file }) => file));
    expect(await cached()).toEqual(manifest.shards.map(nameOf).sort());
    for (const source of sources) source.close();
  });

  it('come from the cache in the next process', async () => {
    const batches = [];
    for (let time = 0; time < 2; time++) {
      const source = sourceOf(far);
      batches.push(await source.batch(0, 0));
      source.close();
    }
    expect(batches[1]).toEqual(batches[0]);
    expect(new Set(reads).size).toBe(reads.length);
  });
});

describe('the cache', () => {
  it('removes the least recently used shard, so that the next one fits', async () => {
    const [first, second, third] = manifest.shards;
    await fetchOld(first, 30);
    await fetchOld(second, 20);
    await fetchOld(first, 10);
    const limit = first.sizeBytes + third.sizeBytes;
    await fetchOld(third, 0, limit);
    expect(await cached()).toEqual([first, third].map(nameOf).sort());
  });

  it('removes nothing that is in use, even above the limit', async () => {
    const [first, second, third] = manifest.shards;
    const cache = createShardCache({ cacheFolder, cacheBytes: 1 });
    const held = await cache.open(far, first);
    await (await cache.open(far, second)).close();
    await (await cache.open(far, third)).close();
    expect(await cached()).toEqual([first, third].map(nameOf).sort());
    await held.close();
    await (await cache.open(far, second)).close();
    expect(await cached()).toEqual([nameOf(second)]);
  });

  it('still reads a file that another process has removed', async () => {
    const [shard] = manifest.shards;
    const file = await createShardCache({ cacheFolder, cacheBytes: 1 }).open(far, shard);
    await rm(join(cacheFolder, nameOf(shard)));
    const bytes = Buffer.alloc(shard.sizeBytes);
    await file.handle.read(bytes, 0, bytes.length, 0);
    expect(Buffer.compare(bytes, await local.get(shard.file))).toBe(0);
    await file.close();
  });

  it('fetches a damaged file again', async () => {
    const [shard] = manifest.shards;
    await fetchOld(shard, 0);
    const path = join(cacheFolder, nameOf(shard));
    const bytes = await readFile(path);
    bytes[bytes.length >> 1] ^= 1;
    await writeFile(path, bytes);
    await fetchOld(shard, 0);
    expect(reads).toEqual([shard.file, shard.file]);
    expect(Buffer.compare(await readFile(path), await local.get(shard.file))).toBe(0);
  });

  it('keeps nothing of a shard that arrives damaged, and names it', async () => {
    const [shard] = manifest.shards;
    const body = await local.get(shard.file);
    body[body.length >> 1] ^= 1;
    await local.put(shard.file, body);
    await expect(fetchOld(shard, 0)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`s3://far/dataset/${shard.file} is damaged`) as string,
    });
    expect(await cached()).toEqual([]);
  });

  it('waits for a shard that another process is fetching, unless that gives up', async () => {
    const [shard, other] = manifest.shards;
    await mkdir(cacheFolder);
    await writeFile(partialOf(shard), 'begun');
    const opened = fetchOld(shard, 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(reads).toEqual([]);
    await writeFile(join(cacheFolder, nameOf(shard)), await local.get(shard.file));
    await opened;
    expect(reads).toEqual([]);

    await writeFile(partialOf(other), 'begun');
    const long = new Date(Date.now() - 60_000);
    await utimes(partialOf(other), long, long);
    await fetchOld(other, 0);
    expect(reads).toEqual([other.file]);
  });

  it.each([
    ['an hour ahead', 3_000_000],
    ['a year ahead', 3e10],
  ])('waits in vain for a file with a time %s, but not for long', async (_, aheadMs) => {
    const [shard] = manifest.shards;
    await mkdir(cacheFolder);
    await writeFile(partialOf(shard), 'begun');
    const ahead = new Date(Date.now() + aheadMs);
    await utimes(partialOf(shard), ahead, ahead);
    const cache = createShardCache({ cacheFolder, cacheBytes: 2 ** 30 }, { silenceMs: 500, longestMs: 60_000 });
    await (await cache.open(far, shard)).close();
    expect(reads).toEqual([shard.file]);
    expect(await cached()).toContain(nameOf(shard));
  });

  it('neither counts, nor opens, nor removes what is not its own', async () => {
    const [first, second] = manifest.shards;
    const foreign = {
      ...{ 'thesis.docx': 'mine', 'holiday.jpg': 'mine', 'notes.partial-1': 'mine', 'shard-000000.tar': 'mine' },
      // Another program's names that look like ours.
      [`${'a'.repeat(64)}.tar`]: 'a blob',
      [`${first.sha256}.tar.bak`]: 'mine',
      [`${first.sha256}.partial-mine`]: 'mine',
    };
    await mkdir(join(cacheFolder, 'photographs'), { recursive: true });
    await mkdir(join(cacheFolder, `${'b'.repeat(64)}.tar`));
    await symlink(join(folder, 'dataset', first.file), join(cacheFolder, `${'c'.repeat(64)}.tar`));
    const old = new Date(Date.now() - 7_200_000);
    for (const [name, text] of Object.entries(foreign)) {
      await writeFile(join(cacheFolder, name), text.padEnd(first.sizeBytes));
      await utimes(join(cacheFolder, name), old, old);
    }
    const before = await cached();
    // There is room for one shard: both are fetched, and the first is removed.
    for (const shard of [first, second]) await fetchOld(shard, 60, second.sizeBytes);
    expect(await cached()).toEqual([...before, nameOf(second)].sort());
    for (const [name, text] of Object.entries(foreign)) {
      expect((await readFile(join(cacheFolder, name), 'utf8')).trimEnd()).toBe(text);
    }
  });

  it('refuses a folder that has the name of a shard', async () => {
    const [shard] = manifest.shards;
    await mkdir(join(cacheFolder, nameOf(shard)), { recursive: true });
    await expect(fetchOld(shard, 0)).rejects.toMatchObject({
      code: 'invalid',
      message: `${join(cacheFolder, nameOf(shard))} has the name of a cached shard but is not a file`,
    });
  });

  it('eventually removes the partial files of killed processes', async () => {
    const [shard] = manifest.shards;
    await mkdir(cacheFolder);
    const left = join(cacheFolder, `${'0'.repeat(64)}.partial-${anotherId}`);
    await writeFile(left, 'left');
    const old = new Date(Date.now() - 7_200_000);
    await utimes(left, old, old);
    await fetchOld(shard, 0);
    expect(await cached()).toEqual([nameOf(shard)]);
  });

  it('that cannot be written says where it is and what to set', async () => {
    await writeFile(cacheFolder, 'no folder');
    const error: unknown = await fetchOld(manifest.shards[0], 0).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: `the shard cache ${cacheFolder} could not be read or written` });
    expect((error as FourfoldError).options.hint).toContain('data.cacheFolder');
    expect((await stat(cacheFolder)).size).toBe(9);
  });
});
