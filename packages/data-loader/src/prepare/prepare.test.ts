import { readFile, readdir, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { openStore } from '@fourfold/store';
import { createShardCache } from '../shards/shard-cache.js';
import { openKeptShard } from '../shards/kept-shard.js';
import { photographPath } from '../test-pictures.js';
import { readDatasetManifest } from './manifest.js';
import { prepare, type PrepareOptions } from './prepare.js';
import { usePrepareFolders, writeAwkwardPictures } from './test-folders.js';

const { inFolder, options } = usePrepareFolders();

const samplesOf = async ({ store }: PrepareOptions) => {
  const { shards } = await readDatasetManifest(store);
  const cache = createShardCache({ cacheBytes: 1 });
  const read = async (shard: (typeof shards)[number]) => {
    const open = await openKeptShard(store, shard, cache);
    const samples = await Promise.all(Array.from({ length: shard.samples }, (_, i) => open.read(i)));
    await open.close();
    return samples;
  };
  return (await Promise.all(shards.map(read))).flat();
};

it('lists the files that it took, and those left out with reasons', async () => {
  await writeAwkwardPictures(inFolder());
  const chosen = options({});
  const { taken, left, manifest } = await prepare(chosen);
  const [{ file: duplicate }] = left.filter(({ reason }) => reason.startsWith('duplicate of'));
  const kept = duplicate === 'plain.jpg' ? 'copy.JPEG' : 'plain.jpg';
  expect(taken.map(({ file, storedAs, width, height }) => [file, storedAs, width, height])).toEqual(
    [
      [kept, 'original', 160, 120],
      ['cmyk.jpg', 'png', 160, 120],
      ['deep.png', 'png', 160, 120],
      ['grey.jpg', 'png', 160, 120],
      ['palette.png', 'png', 160, 120],
      ['photo.webp', 'png', 160, 120],
      ['rotated.jpg', 'png', 120, 160],
      ['scan.tif', 'png', 160, 120],
      ['web.avif', 'png', 160, 120],
      ['web.gif', 'png', 160, 120],
      ['web.jfif', 'original', 161, 120],
    ].sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  expect(left).toEqual(
    [
      { file: duplicate, reason: `duplicate of ${kept}` },
      { file: 'empty.jpg', reason: 'it is empty: 0 bytes' },
      { file: 'phone.HEIC', reason: 'it is HEIC, which is not supported: convert it to JPEG or PNG first' },
      { file: 'small.png', reason: 'too small: 40x40, both sides must be at least 96' },
      { file: 'text.png', reason: 'its format is not one of JPEG, PNG, WebP, TIFF, AVIF and GIF' },
      {
        file: 'truncated.jpg',
        reason: 'truncated or damaged',
      },
    ].sort((a, b) => (a.file < b.file ? -1 : 1)),
  );
  expect(manifest).toMatchObject({ pictures: 11, samples: 11, tile: null });
  expect(await readDatasetManifest(chosen.store)).toEqual(manifest);
  const original = (await samplesOf(chosen)).find(({ info }) => info.source === kept);
  expect(Buffer.compare(original!.bytes, await readFile(inFolder(kept)))).toBe(0);
});

it('ends with one line if nothing is usable, and leaves no dataset', async () => {
  await writeFile(inFolder('text.png'), 'no picture');
  await writeFile(inFolder('notes.txt'), 'no picture');
  const chosen = options({});
  await expect(prepare(chosen)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(
      /has no usable photograph \(2 files left out; the first: notes.txt: not named/,
    ) as string,
  });
  await expect(readDatasetManifest(chosen.store)).rejects.toMatchObject({ code: 'not-found' });
  await expect(prepare(options({ images: inFolder('none') }))).rejects.toMatchObject({ code: 'not-found' });
});

it('writes shards of bounded size with the same bytes every time', async () => {
  const images = photographPath('train');
  const write = async (place: string, changes: Partial<PrepareOptions>) => {
    const store = openStore(inFolder(place));
    return (await prepare(options({ images, store, shardSizeBytes: 2 ** 20, ...changes }))).manifest;
  };
  const first = await write('a', {});
  expect(first.shards.length).toBeGreaterThan(2);
  for (const shard of first.shards) expect(shard.sizeBytes).toBeLessThanOrEqual(2 ** 20);
  expect(await write('b', {})).toEqual(first);
  expect(await write('c', { seed: 1 })).not.toEqual(first);
  expect((await readdir(inFolder('a'))).sort()).toEqual(
    ['manifest.json', ...first.shards.map(({ file }) => file)].sort(),
  );
});

it('takes a random sample that the seed decides', async () => {
  const images = photographPath('train');
  const take = async (place: string, seed: number) => {
    const report = await prepare(options({ images, store: openStore(inFolder(place)), sample: 5, seed }));
    expect(report.manifest.pictures).toBe(5);
    expect(report.notSampled).toBeGreaterThan(0);
    return report.taken.map(({ file }) => file);
  };
  const first = await take('a', 1);
  expect(await take('b', 1)).toEqual(first);
  expect(await take('c', 2)).not.toEqual(first);
});

it('stops when aborted, without a dataset', async () => {
  const stop = new AbortController();
  const chosen = options({
    images: photographPath('held-out'),
    signal: stop.signal,
    onProgress: () => stop.abort(new Error('enough')),
  });
  await expect(prepare(chosen)).rejects.toThrow('enough');
  await expect(readDatasetManifest(chosen.store)).rejects.toMatchObject({ code: 'not-found' });
});

it('refuses tiles that are too small for crops', async () => {
  await expect(prepare(options({ tile: 196 }))).rejects.toThrow(
    /--tile is 196: it must be a multiple of 4 and at least 200/,
  );
  await expect(prepare(options({ tile: 482 }))).rejects.toThrow(/multiple of 4/);
});
