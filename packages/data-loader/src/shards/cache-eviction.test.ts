import { sha256 } from '@fourfold/common';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeRoom } from './cache-eviction.js';
import { shardPath } from './cache-folder.js';
import { tryShardCache } from './cache-trial.js';
import { dataConfig } from '../test-pictures.js';

/** How the file system fails: files that may not be removed, a disk that is full once a file is created. */
const failing = vi.hoisted(() => ({ removing: '', isFull: false }));
const systemError = (code: string) => Object.assign(new Error(code), { code });
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    rm: (...args: Parameters<typeof real.rm>) =>
      failing.removing === args[0] ? Promise.reject(systemError('EPERM')) : real.rm(...args),
    async writeFile(...args: Parameters<typeof real.writeFile>) {
      await real.writeFile(...args);
      if (failing.isFull) throw systemError('ENOSPC');
    },
  };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-cache-'));
});
afterEach(async () => {
  Object.assign(failing, { removing: '', isFull: false });
  await rm(folder, { recursive: true });
});

test('a shard that may not be removed stays, does not count and is reported once; others make room', async () => {
  const paths: string[] = [];
  for (const text of ['first', 'other', 'third']) {
    paths.push(shardPath(folder, sha256(Buffer.from(text))));
    await writeFile(paths[paths.length - 1], text);
  }
  [failing.removing] = paths;
  const onForeign = vi.fn();
  for (const limitBytes of [5, 5, 0]) await makeRoom(folder, limitBytes, () => false, onForeign);
  expect((await readdir(folder)).map((name) => join(folder, name))).toEqual([failing.removing]);
  expect(onForeign.mock.calls).toEqual([[failing.removing, expect.objectContaining({ code: 'EPERM' })]]);
});

test('a check on a full disk leaves nothing', async () => {
  failing.isFull = true;
  const data = dataConfig({ cacheFolder: folder });
  await expect(tryShardCache({ data, dataset: 's3://far/dataset' })).rejects.toMatchObject({ code: 'no-space' });
  expect(await readdir(folder)).toEqual([]);
});
