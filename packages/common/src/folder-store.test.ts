import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { getJson, getVerified, openStore, sha256, type ObjectStore } from './object-store.js';

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-store-'));
  store = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const keys = async (prefix: string) => (await store.list(prefix)).map(({ key }) => key);

test('an object comes back as it was put, until it is replaced or removed', async () => {
  await store.put('runs/a/one', Buffer.from([0, 255, 10]));
  expect(await store.get('runs/a/one')).toEqual(Buffer.from([0, 255, 10]));
  await store.put('runs/a/one', 'other');
  expect((await store.at('runs').at('a').get('one')).toString()).toBe('other');
  await store.remove('runs/a/one');
  await store.remove('runs/a/one');
  await expect(store.get('runs/a/one')).rejects.toMatchObject({ code: 'not-found' });
});

test('of many puts with ifAbsent at once one wins, and its object stays', async () => {
  const bodies = Array.from({ length: 8 }, (_, i) => `body ${i}`);
  const outcomes = await Promise.allSettled(bodies.map((body) => store.put('term', body, { ifAbsent: true })));
  const won = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [bodies[i]] : []));
  expect(won).toHaveLength(1);
  expect((await store.get('term')).toString()).toBe(won[0]);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' });
  }
});

test('a reader sees the whole of one object or of another, never a part', async () => {
  const bodies = [Buffer.alloc(2 << 20, 'a'), Buffer.alloc(1 << 20, 'b')];
  await store.put('object', bodies[0]);
  let writing = true;
  const writes = (async () => {
    for (let i = 1; i < 12; i++) await store.put('object', bodies[i % 2]);
  })().finally(() => (writing = false));
  const seen = new Set<string>();
  while (writing) seen.add(sha256(await store.get('object')));
  await writes;
  expect([...seen].every((hash) => bodies.some((body) => sha256(body) === hash))).toBe(true);
});

test('a listing is in ascending order and takes the prefix literally', async () => {
  for (const key of ['b/2', 'a/10', 'ab', 'a/1/x', 'c']) await store.put(key, key);
  expect(await keys('')).toEqual(['a/1/x', 'a/10', 'ab', 'b/2', 'c'].sort());
  expect(await keys('a/')).toEqual(['a/1/x', 'a/10']);
  expect(await keys('a/1')).toEqual(['a/1/x', 'a/10']);
  expect(await keys('nothing/')).toEqual([]);
  expect(await store.list('b/')).toEqual([{ key: 'b/2', sizeBytes: 3 }]);
  expect(await openStore(join(folder, 'not-there')).list('')).toEqual([]);
});

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

test.each(['../other', 'a/../../other', '..'])('key %s leads out of the folder and is refused', async (key) => {
  const refusal = { code: 'invalid', message: `object key ${key} leads out of ${store.url}` };
  await expect(store.get(key)).rejects.toMatchObject(refusal);
  await expect(store.put(key, '')).rejects.toMatchObject(refusal);
  await expect(store.remove(key)).rejects.toMatchObject(refusal);
  expect(() => store.at(key)).toThrow(refusal.message);
});

test('stores that are no folders are refused', () => {
  expect(() => openStore('s3://bucket/prefix')).toThrow('only folders');
  expect(openStore('file:out/store').url).toBe(openStore('out/store').url);
});

test('damaged objects are named', async () => {
  await store.put('manifest.json', '{"a": ');
  await expect(getJson(store, 'manifest.json')).rejects.toMatchObject({
    code: 'corrupt',
    message: `${store.url}/manifest.json is not JSON`,
  });
  await expect(getVerified(store, 'manifest.json', sha256('{}'))).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining(`${store.url}/manifest.json is damaged`) as string,
  });
  expect(await getVerified(store, 'manifest.json', sha256('{"a": '))).toEqual(Buffer.from('{"a": '));
});
