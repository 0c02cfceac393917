import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type ObjectStore } from './object-store.js';

/*
 * What is special about folders; what every store must do is tested in test/object-store.test.ts.
 */

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-store-'));
  store = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const keys = async (prefix: string) => (await store.list(prefix)).map(({ key }) => key);

test('what an interrupted put left behind is not listed', async () => {
  await mkdir(join(folder, 'a'));
  await writeFile(join(folder, 'a', '.partial-0b5'), 'half an obj');
  await store.put('a/whole', 'object');
  expect(await keys('')).toEqual(['a/whole']);
  expect(await readdir(join(folder, 'a'))).toEqual(['.partial-0b5', 'whole']);
});

test('a put that fails leaves nothing behind and says why', async () => {
  await mkdir(join(folder, 'taken', 'by-a-folder'), { recursive: true });
  await expect(store.put('taken', 'y')).rejects.toMatchObject({
    code: 'unavailable',
    message: `${store.url}/taken could not be written`,
  });
  expect(await readdir(folder)).toEqual(['taken']);
});

test('stores of unknown schemes are refused', () => {
  expect(() => openStore('ftp://host/folder')).toThrow('only folders');
  expect(openStore('file:out/store').url).toBe(openStore('out/store').url);
});
