import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sha256, type DataConfig } from '@fourfold/common';
import type { Picture } from '@fourfold/imaging';
import { openStore, type ObjectStore } from '@fourfold/store';
import { readDatasetManifest, type DatasetManifest, type Encoding } from '../prepare/manifest.js';
import { prepare, prepareDefaults } from '../prepare/prepare.js';
import { npyHeader } from '../shards/npy.js';
import { decodePixelIndex, encodePixelIndex } from '../shards/pixel-index.js';
import { pngOf, realPicture, realPictures, tarOf, writeFolder } from '../sources/test-archives.js';
import { dataConfig } from '../test-pictures.js';
import { createBatchSource, type BatchSource } from './batch-source.js';

interface Dataset {
  store: ObjectStore;
  manifest: DatasetManifest;
}

let folder: string;
const datasets: Record<string, Dataset> = {};

/** A photograph beside itself. */
async function wide(): Promise<Picture> {
  const { data, width, height } = await realPicture(3, 300, 50);
  const times = 20;
  const rows = Array.from({ length: height * times }, (_, i) => {
    const y = Math.floor(i / times);
    return data.subarray(y * width * 3, (y + 1) * width * 3);
  });
  return { data: Buffer.concat(rows), width: width * times, height };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-pixels-'));
  const pictures = await realPictures(['a.jpg', 'b.png', 'c.jpg', 'd.png']);
  // Sides that are not multiples of 4, and rows that are too far apart to be read in one span.
  const odd = { 'odd.png': await pngOf(await realPicture(6, 131, 109)), 'wide.png': await pngOf(await wide()) };
  const images = await writeFolder(join(folder, 'images'), { ...pictures, ...odd });
  const make = async (name: string, encoding: Encoding, tile?: number) => {
    const store = openStore(join(folder, name));
    const options = { images, store, name, encoding, tile, minimumSide: 48, shardSizeBytes: 100_000 };
    datasets[name] = { store, manifest: (await prepare({ ...prepareDefaults, ...options })).manifest };
  };
  await make('keep', 'keep');
  await make('pixels', 'pixels');
  await make('tiles', 'keep', 104);
  await make('pixel-tiles', 'pixels', 104);
});
afterAll(() => rm(folder, { recursive: true }));

const sources: BatchSource[] = [];
afterEach(() => sources.splice(0).forEach((source) => source.close()));

function sourceOf(dataset: Dataset, changes: Partial<DataConfig> = {}): BatchSource {
  const data = dataConfig({ globalBatch: 4, crop: 48, windowPictures: 5, ...changes });
  const source = createBatchSource({ ...dataset, data, seed: 1 });
  sources.push(source);
  return source;
}

describe('a dataset of pixels', () => {
  it.each([
    ['keep', 'pixels', 0],
    ['keep', 'pixels', 1.5],
    ['tiles', 'pixel-tiles', 0],
    ['tiles', 'pixel-tiles', 1],
  ])('gives the batches of the same pictures bit for bit: %s and %s, blur %d', async (kept, pixels, blurSigma) => {
    const changes = { flips: true, quarterTurns: true, blurSigma };
    const [one, other] = [sourceOf(datasets[kept], changes), sourceOf(datasets[pixels], changes)];
    for (let iteration = 0; iteration < (blurSigma > 0 ? 50 : 200); iteration++) {
      const [expected, actual] = [await one.batch(iteration, 0), await other.batch(iteration, 0)];
      expect(Buffer.compare(actual.hr, expected.hr)).toBe(0);
      expect(Buffer.compare(actual.lr, expected.lr)).toBe(0);
    }
    expect(other.stats().pictures.loads).toBe(0);
  });

  it('gives them from an object store, through the cache, too; each shard is fetched once', async () => {
    const { store, manifest } = datasets['pixel-tiles'];
    const reads: string[] = [];
    const read: ObjectStore['read'] = (key, begin) => {
      reads.push(key);
      return store.read(key, begin);
    };
    const far = { store: { ...store, url: 's3://far/dataset', filePath: undefined, read }, manifest };
    const changes = { flips: true, cacheFolder: join(folder, 'cache') };
    const [one, other] = [sourceOf(datasets.tiles, changes), sourceOf(far, changes)];
    for (let iteration = 0; iteration < 20; iteration++) {
      const [expected, actual] = [await one.batch(iteration, 0), await other.batch(iteration, 0)];
      expect(Buffer.compare(actual.hr, expected.hr)).toBe(0);
      expect(Buffer.compare(actual.lr, expected.lr)).toBe(0);
    }
    expect(reads.sort()).toEqual(manifest.shards.map(({ file }) => file));
  });

  it('keeps the boundaries of shards, and its manifest says what it is', async () => {
    const samplesOf = ({ manifest }: Dataset) => manifest.shards.map(({ samples }) => samples);
    expect(samplesOf(datasets.tiles).length).toBeGreaterThan(2);
    expect(samplesOf(datasets['pixel-tiles'])).toEqual(samplesOf(datasets.tiles));
    const { store, manifest } = datasets['pixel-tiles'];
    expect(await readDatasetManifest(store)).toEqual(manifest);
    expect(manifest).toMatchObject({ version: 2, encoding: 'pixels' });
    expect(datasets.tiles.manifest).toMatchObject({ version: 2, encoding: 'keep' });
  });
});

/** A dataset whose first shard, and what the manifest says of it, are changed. */
async function changed(
  change: (body: Buffer, manifest: DatasetManifest) => Buffer,
  isSigned: boolean,
): Promise<Dataset> {
  const manifest = structuredClone(datasets.pixels.manifest);
  const copy = openStore(await mkdtemp(join(folder, 'changed-')));
  for (const { file } of manifest.shards) await copy.put(file, await datasets.pixels.store.get(file));
  const [shard] = manifest.shards;
  const body = change(await copy.get(shard.file), manifest);
  await copy.put(shard.file, body);
  if (isSigned) Object.assign(shard, { sha256: sha256(body), sizeBytes: body.length });
  return { store: copy, manifest };
}

const firstPlace = ({ shards: [shard] }: DatasetManifest) => decodePixelIndex(shard.index!, shard, 48)[0];

it('refuses a tar of the same members that Python’s webdataset has written, which sorts their names', async () => {
  const dataset = await changed((body) => body, false);
  const [shard] = dataset.manifest.shards;
  const members: Record<string, Buffer> = {};
  for (const [i, { width, height, hrOffset, lrOffset }] of decodePixelIndex(shard.index!, shard, 48).entries()) {
    const body = await dataset.store.get(shard.file);
    const lrBytes = Math.ceil(width / 4) * Math.ceil(height / 4) * 3;
    members[`${i}.hr.npy`] = body.subarray(hrOffset - 128, hrOffset + width * height * 3);
    members[`${i}.json`] = Buffer.from('{}');
    members[`${i}.lr.npy`] = body.subarray(lrOffset - 128, lrOffset + lrBytes);
  }
  const body = Buffer.concat([await tarOf(members), Buffer.alloc(10_240)]);
  await dataset.store.put(shard.file, body);
  Object.assign(shard, { sha256: sha256(body), sizeBytes: body.length });
  const source = sourceOf(dataset, { windowPictures: 100, globalBatch: dataset.manifest.samples });
  await expect(source.batch(0, 0)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('there is 0.json where the index has a .lr.npy') as string,
  });
});

describe('a shard of pixels that is not what the manifest says is refused', () => {
  /** The first sample's HR array with another header. */
  const withHeader = (text: (header: string) => string) => (body: Buffer, manifest: DatasetManifest) => {
    const { width, height, hrOffset } = firstPlace(manifest);
    body.write(text(npyHeader(width, height).toString('latin1')), hrOffset - 128, 'latin1');
    return body;
  };
  const shifted = (body: Buffer) => Buffer.concat([Buffer.alloc(512), body]).subarray(0, body.length);
  it.each<[string, (body: Buffer, manifest: DatasetManifest) => Buffer, boolean, RegExp]>([
    ['a flipped byte', (body) => ((body[2000] ^= 1), body), false, /is damaged/],
    ['a truncated shard', (body) => body.subarray(0, body.length / 2), false, /is damaged/],
    ['a shifted shard', shifted, true, /no file where the index has a \.hr\.npy/],
    ['another type', withHeader((header) => header.replace('|u1', '<f4')), true, /hr\.npy: it is the array .*<f4/],
    [
      'another order',
      withHeader((header) => header.replace('False', 'True ')),
      true,
      /hr\.npy: it is the array .*True/,
    ],
    ['another shape', withHeader((header) => header.replace(/(\d+), (\d+), 3/, '$2, $1, 3')), true, /it is the array/],
    ['no array', withHeader((header) => header.replace('NUMPY', 'LUMPY')), true, /it is not a NumPy array/],
    [
      'HR and LR swapped',
      (body) => Buffer.from(body.toString('latin1').replaceAll('.hr.npy', '.xr.npy'), 'latin1'),
      true,
      /xr\.npy where the index has a \.hr\.npy/,
    ],
    [
      'another core',
      (body, { shards: [shard] }) => {
        const places = decodePixelIndex(shard.index!, shard, 48);
        places[0].core.width -= 4;
        shard.index = encodePixelIndex(places);
        return body;
      },
      true,
      /does not have the core/,
    ],
    [
      'an index that points beyond the end',
      (body, { shards: [shard] }) => {
        shard.index = shard.index!.replace(/\d+(?=( \d+){6}$)/, '99999999');
        return body;
      },
      true,
      /its index points beyond its end/,
    ],
  ])('%s', async (_, change, isSigned, message) => {
    const dataset = await changed(change, isSigned);
    const source = sourceOf(dataset, { windowPictures: 100, globalBatch: dataset.manifest.samples });
    const error: unknown = await source.batch(0, 0).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'corrupt', message: expect.stringMatching(message) as string });
    expect(String(error)).toContain(dataset.manifest.shards[0].file);
  });
});

it('verifies a shard again once its open file is written to', async () => {
  const dataset = await changed((body) => body, false);
  const { hrOffset } = firstPlace(dataset.manifest);
  const overwrite = async (bytes: Buffer) => {
    const file = await open(dataset.store.filePath!(dataset.manifest.shards[0].file), 'r+');
    await file.write(bytes, 0, bytes.length, hrOffset);
    await file.close();
  };
  const source = sourceOf(dataset, { windowPictures: 100, globalBatch: dataset.manifest.samples });
  const expected = await source.batch(0, 0);
  const pixels = (await dataset.store.get(dataset.manifest.shards[0].file)).subarray(hrOffset, hrOffset + 8);
  await overwrite(Buffer.from(pixels.map((value) => 255 - value)));
  await expect(source.batch(0, 0)).rejects.toMatchObject({ code: 'corrupt' });
  await overwrite(pixels);
  expect(Buffer.compare((await source.batch(0, 0)).hr, expected.hr)).toBe(0);
});

it('gives other work turns of the event loop within a long batch', async () => {
  const source = sourceOf(datasets.pixels, { windowPictures: 100, globalBatch: 4000 });
  await source.batch(0, 0);
  let turns = 0;
  const count = () => {
    turns++;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  await source.batch(1, 0);
  clearImmediate(counting);
  expect(turns).toBeGreaterThan(0);
});
