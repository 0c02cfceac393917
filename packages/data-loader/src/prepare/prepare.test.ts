import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp, { type Sharp } from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FourfoldError, sha256 } from '@fourfold/common';
import { openStore, type ObjectStore } from '@fourfold/store';
import { readDatasetManifest } from './manifest.js';
import { prepare, prepareDefaults, type PrepareOptions } from './prepare.js';
import { createShardCache } from '../shards/shard-cache.js';
import { openKeptShard } from '../shards/kept-shard.js';
import { writeTar } from '../sources/test-archives.js';
import { photographCorner, photographPath } from '../test-pictures.js';

let folder: string;
/** Where datasets go, outside the photographs. */
let elsewhere: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-prepare-'));
  elsewhere = await mkdtemp(join(tmpdir(), 'fourfold-prepared-'));
});
afterEach(async () => {
  for (const used of [folder, elsewhere]) await rm(used, { recursive: true });
});

const keysOf = async (store: ObjectStore) => (await store.list('')).map(({ key }) => key);

const options = (changes: Partial<PrepareOptions>): PrepareOptions => ({
  ...prepareDefaults,
  images: folder,
  store: openStore(join(elsewhere, 'dataset')),
  name: 'test',
  ...changes,
});

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

/** Files of every kind: the good, the convertible and the bad. */
async function writeAwkwardPictures(): Promise<void> {
  const { data, width, height } = await photographCorner('train/chelsea.png', 160, 120);
  const rgb = sharp(data, { raw: { width, height, channels: 3 } });
  const write = async (name: string, file: Sharp | Buffer | string) =>
    writeFile(join(folder, name), typeof file === 'string' || Buffer.isBuffer(file) ? file : await file.toBuffer());
  const plain = await rgb.clone().jpeg().toBuffer();
  await write('plain.jpg', plain);
  await write('copy.JPEG', plain);
  await write('truncated.jpg', plain.subarray(0, plain.length / 2));
  await write('empty.jpg', '');
  await write('phone.HEIC', 'no matter what');
  await write('web.jfif', rgb.clone().resize(161, 120).jpeg());
  await write('web.avif', rgb.clone().avif());
  await write('web.gif', rgb.clone().gif());
  await write('text.png', 'This is not a picture.\n');
  await write('small.png', rgb.clone().resize(40, 40).png());
  await write('cmyk.jpg', rgb.clone().toColourspace('cmyk').jpeg());
  await write('deep.png', rgb.clone().toColourspace('rgb16').png());
  await write('palette.png', rgb.clone().ensureAlpha(0.5).png({ palette: true }));
  await write('rotated.jpg', rgb.clone().withMetadata({ orientation: 6 }).jpeg());
  await write('grey.jpg', rgb.clone().toColourspace('b-w').jpeg());
  await write('photo.webp', rgb.clone().webp());
  await write('scan.tif', rgb.clone().tiff());
}

describe('prepare', () => {
  it('lists the files that it took, and those left out with reasons', async () => {
    await writeAwkwardPictures();
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
    expect(Buffer.compare(original!.bytes, await readFile(join(folder, kept)))).toBe(0);
  });

  it('ends with one line if nothing is usable, and leaves no dataset', async () => {
    await writeFile(join(folder, 'text.png'), 'no picture');
    await writeFile(join(folder, 'notes.txt'), 'no picture');
    const chosen = options({});
    await expect(prepare(chosen)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(
        /has no usable photograph \(2 files left out; the first: notes.txt: not named/,
      ) as string,
    });
    await expect(readDatasetManifest(chosen.store)).rejects.toMatchObject({ code: 'not-found' });
    await expect(prepare(options({ images: join(folder, 'none') }))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('writes shards of bounded size with the same bytes every time', async () => {
    const images = photographPath('train');
    const write = async (place: string, changes: Partial<PrepareOptions>) => {
      const store = openStore(join(folder, place));
      return (await prepare(options({ images, store, shardSizeBytes: 2 ** 20, ...changes }))).manifest;
    };
    const first = await write('a', {});
    expect(first.shards.length).toBeGreaterThan(2);
    for (const shard of first.shards) expect(shard.sizeBytes).toBeLessThanOrEqual(2 ** 20);
    expect(await write('b', {})).toEqual(first);
    expect(await write('c', { seed: 1 })).not.toEqual(first);
    expect((await readdir(join(folder, 'a'))).sort()).toEqual(
      ['manifest.json', ...first.shards.map(({ file }) => file)].sort(),
    );
  });

  it('takes a random sample that the seed decides', async () => {
    const images = photographPath('train');
    const take = async (place: string, seed: number) => {
      const report = await prepare(options({ images, store: openStore(join(folder, place)), sample: 5, seed }));
      expect(report.manifest.pictures).toBe(5);
      expect(report.notSampled).toBeGreaterThan(0);
      return report.taken.map(({ file }) => file);
    };
    const first = await take('a', 1);
    expect(await take('b', 1)).toEqual(first);
    expect(await take('c', 2)).not.toEqual(first);
  });

  it('refuses to write over a dataset', async () => {
    const chosen = options({ images: photographPath('held-out'), store: openStore(join(folder, 'dataset')) });
    await prepare(chosen);
    await expect(prepare(chosen)).rejects.toMatchObject({ code: 'invalid' });
  });

  it('clears away the remains of an interrupted run, and does not take them for photographs', async () => {
    const store = openStore(join(folder, 'dataset'));
    const small = { store, images: photographPath('train'), shardSizeBytes: 2 ** 20 };
    const stop = new AbortController();
    const onProgress = ({ shards }: { shards: number }) => shards >= 3 && stop.abort(new Error('enough'));
    await expect(prepare(options({ ...small, signal: stop.signal, onProgress }))).rejects.toThrow('enough');
    expect((await keysOf(store)).length).toBeGreaterThan(3);
    const report = await prepare(options({ images: folder, store: openStore(join(elsewhere, 'dataset')) })).catch(
      String,
    );
    expect(report).toContain('dataset: unfinished output of fourfold, not photographs');

    const { manifest } = await prepare(options({ store, images: photographPath('held-out') }));
    expect(await keysOf(store)).toEqual(['manifest.json', ...manifest.shards.map(({ file }) => file)]);
  });

  it.each([
    ['keep', undefined],
    ['pixels', 240],
  ] as const)(
    'goes on where an interrupted run of the same task stopped: encoding %s, tile %s',
    async (encoding, tile) => {
      const same = { images: photographPath('train'), encoding, tile, shardSizeBytes: 2 ** 20 };
      const whole = await prepare(options({ ...same, store: openStore(join(elsewhere, 'whole')) }));
      const store = openStore(join(elsewhere, 'interrupted'));
      const writes: string[] = [];
      // The disk is full at the second shard, then at the fourth.
      const fullAt = (shard: string): ObjectStore => ({
        ...store,
        async put(key, body, how) {
          if (key === shard) throw new FourfoldError('no-space', `${key}: the disk is full`);
          writes.push(key);
          await store.put(key, body, how);
        },
      });
      const resumed: number[] = [];
      const onResume = ({ shards }: { shards: number }) => resumed.push(shards);
      for (const shard of ['shard-000001.tar', 'shard-000003.tar']) {
        await expect(prepare(options({ ...same, onResume, store: fullAt(shard) }))).rejects.toThrow('the disk is full');
        await expect(readDatasetManifest(store)).rejects.toMatchObject({ code: 'not-found' });
      }
      const report = await prepare(options({ ...same, onResume, store: fullAt('') }));
      expect(report).toEqual(whole);
      expect(resumed).toEqual([1, 3]);
      const shards = writes.filter((key) => key.endsWith('.tar'));
      expect(shards).toEqual(whole.manifest.shards.map(({ file }) => file));
      expect(await keysOf(store)).toEqual(['manifest.json', ...shards]);
      for (const { file, sha256: expected } of whole.manifest.shards)
        expect(sha256(await store.get(file))).toBe(expected);
    },
  );

  it('starts again where the options differ, a shard is missing, or a record is damaged', async () => {
    const same = { images: photographPath('train'), shardSizeBytes: 2 ** 20 };
    const whole = await prepare(options({ ...same, store: openStore(join(elsewhere, 'whole')) }));
    const moved = join(folder, 'moved');
    await cp(same.images, moved, { recursive: true });
    for (const [harm, changes, expected] of [
      ['other options', { seed: 7 }, []],
      ['a sample', { sample: 3 }, []],
      ['another place with files of the same names', { images: moved }, []],
      ['a missing shard', {}, [1]],
      ['a damaged record', {}, [1]],
    ] as const) {
      const store = openStore(join(elsewhere, harm));
      const stop = new AbortController();
      const onProgress = ({ shards }: { shards: number }) => shards >= 3 && stop.abort(new Error('enough'));
      await expect(prepare(options({ ...same, store, signal: stop.signal, onProgress }))).rejects.toThrow('enough');
      if (harm === 'a missing shard') await store.remove('shard-000001.tar');
      if (harm === 'a damaged record') await store.put('shard-000001.progress.json', '{"format":');
      const resumed: number[] = [];
      const onResume = ({ shards }: { shards: number }) => resumed.push(shards);
      const { manifest } = await prepare(options({ ...same, store, onResume, ...changes }));
      expect(resumed).toEqual(expected);
      if (expected.length > 0) expect(manifest).toEqual(whole.manifest);
      expect(await keysOf(store)).toEqual(['manifest.json', ...manifest.shards.map(({ file }) => file)]);
    }
  });

  it('does not take the shards of another task for those that a record names', async () => {
    const store = openStore(join(elsewhere, 'dataset'));
    const stopped = async (changes: Partial<PrepareOptions>, refused: string) => {
      const put: ObjectStore['put'] = (key, body, how) =>
        key === refused ? Promise.reject(new Error('killed')) : store.put(key, body, how);
      const chosen = { images: photographPath('train'), shardSizeBytes: 2 ** 20, store: { ...store, put }, ...changes };
      await expect(prepare(options(chosen))).rejects.toThrow('killed');
    };
    await stopped({}, 'shard-000001.tar');
    const record = await store.get('shard-000000.progress.json');
    // The other task stops between its first shard and the record of it.
    await stopped({ seed: 7 }, 'shard-000001.tar');
    await stopped({ seed: 8 }, 'shard-000000.tar');
    const left = await store.get('shard-000000.progress.json');
    expect(Buffer.compare(left, record)).not.toBe(0);
    expect(left.toString()).toBe('{}');
  });

  it.each(['in place', 'from elsewhere'])(
    'leaves alone files of the user’s that are named like shards, %s',
    async (how) => {
      const wds = join(folder, 'wds');
      const tar = join(wds, 'shard-000000.tar');
      await mkdir(wds);
      await writeTar(tar, { '000.cls': Buffer.from('a label') });
      const before = await readFile(tar);
      const images = how === 'in place' ? wds : photographPath('held-out');
      await expect(prepare(options({ images, store: openStore(wds) }))).rejects.toMatchObject({
        code: 'invalid',
        message:
          how === 'in place'
            ? /is .*wds itself, which is read/
            : /holds shard-000000.tar, which fourfold did not create/,
      });
      expect(await readdir(wds)).toEqual(['shard-000000.tar']);
      expect(Buffer.compare(await readFile(tar), before)).toBe(0);
    },
  );

  it('does not write among the photographs that it reads, which could never be prepared again', async () => {
    await writeAwkwardPictures();
    const files = await readdir(folder);
    for (const store of [openStore(folder), openStore(join(folder, 'deep/dataset'))]) {
      await expect(prepare(options({ store }))).rejects.toMatchObject({ code: 'invalid', message: /which is read/ });
    }
    expect(await readdir(folder)).toEqual(files);
    await prepare(options({}));
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
      /--tile 196: must be a multiple of 4 and at least 200/,
    );
    await expect(prepare(options({ tile: 482 }))).rejects.toThrow(/multiple of 4/);
  });

  it('reports a full disk, and leaves no manifest', async () => {
    // A limit on the size of a file, which any user may set, stands for the disk's end; it needs the built package.
    const script = `
      import { describeError } from '@fourfold/common';
      import { openStore } from '@fourfold/store';
      import { prepare, prepareDefaults } from '@fourfold/data-loader';
      const [images, out] = process.argv.slice(1);
      await prepare({ ...prepareDefaults, images, store: openStore(out), name: 'test' }).catch((error) => {
        console.log(error.code + ': ' + describeError(error));
      });`;
    const out = join(folder, 'dataset');
    const command = 'ulimit -f 512; exec "$0" --input-type=module -e "$1" "$2" "$3"';
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-c', command, process.execPath, script, photographPath('train'), out],
      { cwd: fileURLToPath(new URL('..', import.meta.url)) },
    );
    expect(stdout).toMatch(
      /^no-space: .*shard-000000\.tar could not be written: the disk is full.*; free some space\n$/,
    );
    expect(await readdir(out)).toEqual(['unfinished.json']);
  });
});
