import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openStore } from './object-store.js';
import type { ObjectStore } from './types.js';

/*
 * Tests specific to folders; the contract of every store is tested in test/object-store.test.ts.
 */

/** Operations on the disk, in order. */
const done: string[] = [];
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    async open(...args: Parameters<typeof real.open>) {
      const handle = await real.open(...args);
      const flush = (how: 'sync' | 'datasync') => {
        const flushed = handle[how].bind(handle);
        handle[how] = () => flushed().then(() => void done.push(`flush ${String(args[0])}`));
      };
      flush('sync');
      flush('datasync');
      return handle;
    },
    rename: (from: string, to: string) => real.rename(from, to).then(() => void done.push(`rename ${to}`)),
  };
});

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-store-'));
  store = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const keys = async (prefix: string) => (await store.list(prefix)).map(({ key }) => key);

test('leftovers of an interrupted put are not listed', async () => {
  await mkdir(join(folder, 'a'));
  await writeFile(join(folder, 'a', '.partial-0b5'), 'half an obj');
  await store.put('a/whole', 'object');
  expect(await keys('')).toEqual(['a/whole']);
  expect(await readdir(join(folder, 'a'))).toEqual(['.partial-0b5', 'whole']);
});

test('a put that fails leaves nothing behind and says why', async () => {
  await mkdir(join(folder, 'taken', 'by-a-folder'), { recursive: true });
  await expect(store.put('taken', 'y')).rejects.toMatchObject({
    code: 'denied',
    message: `${store.url}/taken could not be written: it is a folder`,
  });
  expect(await readdir(folder)).toEqual(['taken']);
});

test('when a put resolves, the object and its folders are on the disk', async () => {
  const named = (text: string) => text.replace(/\.partial-.*/, 'partial').replace(folder, 'store');
  done.length = 0;
  await store.put('checkpoints/2/manifest.json', '{}');
  const path = 'store/checkpoints/2';
  const object = [`flush ${path}/partial`, `rename ${path}/manifest.json`, `flush ${path}`];
  expect(done.map(named)).toEqual([...object, 'flush store/checkpoints', 'flush store']);
  done.length = 0;
  await store.put('checkpoints/2/manifest.json', '{}');
  expect(done.map(named)).toEqual(object);
});

test('tidying removes leftovers of killed puts, and an empty folder', async () => {
  await mkdir(join(folder, 'a'));
  const left = `.partial-${randomUUID()}`;
  for (const name of [left, '.partial-thesis', 'mine']) await writeFile(join(folder, 'a', name), 'text');
  await store.tidyFolder('a');
  expect((await readdir(join(folder, 'a'))).sort()).toEqual(['.partial-thesis', 'mine']);
  for (const name of ['.partial-thesis', 'mine']) await rm(join(folder, 'a', name));
  await store.tidyFolder('a');
  expect(await readdir(folder)).toEqual([]);
});

test('stores of unknown schemes are refused', () => {
  expect(() => openStore('ftp://host/folder')).toThrow('only folders');
  expect(openStore('file:out/store').url).toBe(openStore('out/store').url);
});
