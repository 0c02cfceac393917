import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type ObjectStore } from '@fourfold/store';
import type { DataConfig } from '@fourfold/common';
import type { Batch } from './batch.js';
import { createBatchSource, whyCacheTooSmall, type BatchSource } from './batch-source.js';
import { readMargin } from './crop-pair.js';
import { downscale, cropPicture } from '@fourfold/imaging';
import type { DatasetManifest } from '../prepare/manifest.js';
import { prepare, prepareDefaults } from '../prepare/prepare.js';
import { shardsInWindow } from './sample-order.js';
import { dataConfig, photographPath, readPictureFile } from '../test-pictures.js';

interface Dataset {
  store: ObjectStore;
  manifest: DatasetManifest;
}

let folder: string;
let whole: Dataset;
let tiled: Dataset;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-batches-'));
  const make = async (name: string, tile?: number) => {
    const store = openStore(join(folder, name));
    const images = photographPath('train');
    const { manifest } = await prepare({ ...prepareDefaults, images, store, name, tile, shardSizeBytes: 2 ** 20 });
    return { store, manifest };
  };
  whole = await make('whole');
  tiled = await make('tiled', 240);
});
afterAll(async () => rm(folder, { recursive: true }));

const sources: BatchSource[] = [];
afterEach(() => sources.splice(0).forEach((source) => source.close()));

function sourceOf(dataset: Dataset, changes: Partial<DataConfig>, seed = 1): BatchSource {
  const source = createBatchSource({ ...dataset, data: dataConfig(changes), seed });
  sources.push(source);
  return source;
}

const bytesOf = ({ hr, lr }: Batch) => Buffer.concat([hr, lr]).toString('base64');

/** All LR and HR crops of the photographs that a batch's crops could be, found by looking for the HR crop. */
async function findCrop(name: string, hr: Uint8Array) {
  const picture = await readPictureFile(photographPath(`train/${name}`));
  for (let top = 0; top + 96 <= picture.height; top += 4) {
    for (let left = 0; left + 96 <= picture.width; left += 4) {
      const start = (top * picture.width + left) * 3;
      if (Buffer.compare(picture.data.subarray(start, start + 288), hr.subarray(0, 288)) !== 0) continue;
      const region = { left, top, width: 96, height: 96 };
      if (Buffer.compare(cropPicture(picture, region).data, hr) === 0) return { picture, region };
    }
  }
  return undefined;
}

describe('batches', () => {
  it('have the shapes of the config', async () => {
    const source = sourceOf(whole, { globalBatch: 6, replicas: 3, crop: 64 });
    const { count, crop, hr, lr } = await source.batch(0, 2);
    expect([count, crop, hr.length, lr.length]).toEqual([2, 64, 2 * 64 * 64 * 3, 2 * 16 * 16 * 3]);
  });

  it('are the same whoever requests them, in whatever order, and however often', async () => {
    const data = {
      globalBatch: 10,
      replicas: 5,
      windowPictures: 6,
      cropsPerPicture: 3,
      flips: true,
      quarterTurns: true,
    };
    const places = Array.from({ length: 30 }, (_, i) => ({ iteration: Math.floor(i / 5), replica: i % 5 }));
    const one = sourceOf(whole, data);
    const expected: string[] = [];
    for (const { iteration, replica } of places) expected.push(bytesOf(await one.batch(iteration, replica)));
    expect(new Set(expected).size).toBe(30);
    const others = [sourceOf(whole, data), sourceOf(whole, data), sourceOf(whole, data)];
    const shuffled = places.map((place, i) => ({ ...place, i })).sort((a, b) => ((a.i * 7) % 30) - ((b.i * 7) % 30));
    await Promise.all(
      shuffled.map(async ({ iteration, replica, i }) => {
        expect(bytesOf(await others[i % 3].batch(iteration, replica))).toBe(expected[i]);
      }),
    );
    const again = await sourceOf(whole, data, 2).batch(0, 0);
    expect(bytesOf(again)).not.toBe(expected[0]);
  });

  it('from shards of tiles hold the LR of the whole photograph, bit for bit', async () => {
    const source = sourceOf(tiled, { globalBatch: 12 });
    const { hr, lr } = await source.batch(3, 0);
    const names = ['ajanta.jpg', 'astronaut.png', 'bison.jpg', 'carcassonne.jpg', 'chambord.jpg', 'chelsea.png'];
    let found = 0;
    for (let i = 0; i < 12; i++) {
      for (const name of names) {
        const match = await findCrop(name, hr.subarray(i * 96 * 96 * 3, (i + 1) * 96 * 96 * 3));
        if (!match) continue;
        const { left, top } = match.region;
        const region = { left: left / 4, top: top / 4, width: 24, height: 24 };
        const expected = cropPicture(downscale(match.picture, 0), region);
        expect(Buffer.compare(expected.data, lr.subarray(i * 24 * 24 * 3, (i + 1) * 24 * 24 * 3))).toBe(0);
        found++;
      }
    }
    expect(found).toBeGreaterThan(2);
  });

  it('hold no more shards than a window needs, fetched once each an epoch', async () => {
    const source = sourceOf(tiled, { globalBatch: 8, windowPictures: 4 });
    const { samples, shards } = tiled.manifest;
    const limit =
      shardsInWindow(
        shards.map((shard) => shard.samples),
        4,
      ) + 1;
    for (let iteration = 0; iteration < Math.floor(samples / 8); iteration++) {
      await source.batch(iteration, 0);
      expect(source.stats().shards.held).toBeLessThanOrEqual(limit);
    }
    expect(shards.length).toBeGreaterThan(limit);
    expect(source.stats().shards.loads).toBe(shards.length);
    expect(source.stats().crops).toBe(8 * Math.floor(samples / 8));
    source.close();
    expect(source.stats().shards.held).toBe(0);
  });

  it('fetch each shard once an epoch also when batches are requested ahead, across the borders of windows', async () => {
    for (const windowPictures of [3, 8, 20]) {
      const source = sourceOf(tiled, { globalBatch: 4, windowPictures });
      const iterations = Math.floor(tiled.manifest.samples / 4);
      for (let iteration = 0; iteration < iterations; iteration++) {
        const ahead = [iteration + 1, iteration].filter((asked) => asked < iterations);
        await Promise.all(ahead.map((asked) => source.batch(asked, 0)));
      }
      expect([windowPictures, source.stats().shards.loads]).toEqual([windowPictures, tiled.manifest.shards.length]);
    }
  });

  it('share one fetch and one decoding', async () => {
    const source = sourceOf(whole, { globalBatch: 4, cropsPerPicture: 4, windowPictures: 1 });
    await Promise.all([source.batch(0, 0), source.batch(0, 0)]);
    expect(source.stats()).toMatchObject({ shards: { loads: 1 }, pictures: { loads: 1, hits: 7 } });
  });

  it.each([
    ['tiles', 0],
    ['tiles', 1],
    ['whole photographs', 0],
    ['whole photographs', 1],
  ])('are the same where %s are decoded only in part, blur %s', async (what, blurSigma) => {
    const dataset = what === 'tiles' ? tiled : whole;
    const asked = { blurSigma, flips: true, quarterTurns: true };
    const inPart = createBatchSource({ ...dataset, data: dataConfig(asked), seed: 1, pictureCacheBytes: 1 });
    sources.push(inPart);
    const cached = sourceOf(dataset, asked);
    for (let iteration = 0; iteration < 5; iteration++) {
      expect(bytesOf(await inPart.batch(iteration, 0))).toBe(bytesOf(await cached.batch(iteration, 0)));
    }
    // A whole picture would be held.
    const { pictures, crops } = inPart.stats();
    expect(pictures).toMatchObject({ loads: crops, held: 0 });
  });

  it('are the same in the memory of earlier ones', async () => {
    const [fresh, again] = [sourceOf(whole, {}), sourceOf(whole, {})];
    const first = await again.batch(0, 0);
    again.reuse(first);
    const second = await again.batch(1, 0);
    expect(second.hr.buffer).toBe(first.hr.buffer);
    expect(bytesOf(second)).toBe(bytesOf(await fresh.batch(1, 0)));
    expect((await again.batch(2, 0)).hr.buffer).not.toBe(first.hr.buffer);
  });

  it('refuse a shard with a flipped byte, naming it, and recover when it is restored', async () => {
    const { file } = whole.manifest.shards[1];
    const body = await whole.store.get(file);
    const damaged = Buffer.from(body);
    damaged[damaged.length >> 1] ^= 1;
    const source = sourceOf(whole, {});
    await whole.store.put(file, damaged);
    await expect(source.batch(0, 0)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`${file} is damaged`) as string,
    });
    await whole.store.put(file, body);
    expect((await source.batch(0, 0)).count).toBe(16);
  });

  it('stop for an aborted signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(sourceOf(whole, {}).batch(0, 0, signal)).rejects.toThrow('enough');
  });
});

it('refuses a config that asks for what the dataset cannot give', () => {
  expect(() => sourceOf(whole, { crop: 112 })).toThrow(
    /data.crop is 112: dataset .* pictures of at least 96 pixels a side/,
  );
  expect(readMargin(1.5)).toBe(12);
  expect(() => sourceOf(tiled, { blurSigma: 1.5 })).toThrow(/data.blurSigma is 1.5: it reads 12 pixels/);
  expect(() => sourceOf(whole, { blurSigma: 1.5 })).not.toThrow();
});

it('says so if the cache of shards cannot hold a window of a dataset in an object store', () => {
  const { manifest, store } = tiled;
  const bytes = manifest.shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const far: ObjectStore = { ...store, filePath: undefined };
  const of = (where: ObjectStore, cacheBytes: number) =>
    whyCacheTooSmall(where, manifest, dataConfig({ windowPictures: manifest.samples, cacheBytes }));
  expect(of(far, bytes)).toBeUndefined();
  expect(of(far, bytes - 1)).toMatch(/^data\.cacheBytes is \d+, but a window of \d+ pictures may lie in \d+ shards/);
  expect(of(store, 1)).toBeUndefined();
});
