import { cp } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { FourfoldError, sha256 } from '@fourfold/common';
import { openStore, type ObjectStore } from '@fourfold/store';
import { photographPath } from '../test-pictures.js';
import { readDatasetManifest } from './manifest.js';
import { prepare, type PrepareOptions } from './prepare.js';
import { keysOf, usePrepareFolders } from './test-folders.js';

const { inFolder, outside, options } = usePrepareFolders();

it('clears away the remains of an interrupted run, and does not take them for photographs', async () => {
  const store = openStore(inFolder('dataset'));
  const small = { store, images: photographPath('train'), shardSizeBytes: 2 ** 20 };
  const stop = new AbortController();
  const onProgress = ({ shards }: { shards: number }) => shards >= 3 && stop.abort(new Error('enough'));
  await expect(prepare(options({ ...small, signal: stop.signal, onProgress }))).rejects.toThrow('enough');
  expect((await keysOf(store)).length).toBeGreaterThan(3);
  const report = await prepare(options({ images: inFolder(), store: openStore(outside('dataset')) })).catch(String);
  expect(report).toContain('dataset: unfinished output of fourfold, not photographs');

  const { manifest } = await prepare(options({ store, images: photographPath('held-out') }));
  expect(await keysOf(store)).toEqual(['manifest.json', ...manifest.shards.map(({ file }) => file)]);
});

it.each([
  ['keep', undefined],
  ['pixels', 240],
] as const)(
  'resumes where an interrupted run of the same task stopped: encoding %s, tile %s',
  async (encoding, tile) => {
    const same = { images: photographPath('train'), encoding, tile, shardSizeBytes: 2 ** 20 };
    const whole = await prepare(options({ ...same, store: openStore(outside('whole')) }));
    const store = openStore(outside('interrupted'));
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
  const whole = await prepare(options({ ...same, store: openStore(outside('whole')) }));
  const moved = inFolder('moved');
  await cp(same.images, moved, { recursive: true });
  for (const [harm, changes, expected] of [
    ['other options', { seed: 7 }, []],
    ['a sample', { sample: 3 }, []],
    ['another place with files of the same names', { images: moved }, []],
    ['a missing shard', {}, [1]],
    ['a damaged record', {}, [1]],
  ] as const) {
    const store = openStore(outside(harm));
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
  const store = openStore(outside('dataset'));
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
