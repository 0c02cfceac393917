import { sha256 } from '@fourfold/common';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  checkConditionalPuts,
  claimTerm,
  getJson,
  getVerified,
  newestTerm,
  openOutputFolder,
  type ObjectStore,
} from '@fourfold/store';

/** What every object store must do. `root` gives the store to test in; each test works below a prefix of its own. */
export function testObjectStore(root: () => ObjectStore): void {
  const fresh = () => root().at(`tests/${randomUUID()}`);
  const keysOf = async (store: ObjectStore, prefix: string) => (await store.list(prefix)).map(({ key }) => key);

  test('an object reads back as it was put, until it is replaced or removed', async () => {
    const store = fresh();
    await store.put('runs/a/one', Buffer.from([0, 255, 10]));
    expect(await store.get('runs/a/one')).toEqual(Buffer.from([0, 255, 10]));
    await store.put('runs/a/one', 'öther');
    expect((await store.at('runs').at('a').get('one')).toString()).toBe('öther');
    await store.put('runs/a/one', '');
    expect(await store.get('runs/a/one')).toHaveLength(0);
    await store.remove('runs/a/one');
    await store.remove('runs/a/one');
    await expect(store.get('runs/a/one')).rejects.toMatchObject({
      code: 'not-found',
      message: `${store.url}/runs/a/one does not exist`,
    });
  });

  test('a large object, whole and from an offset', async () => {
    const store = fresh();
    const body = Buffer.alloc((40 << 20) + 5);
    for (let at = 0; at + 4 < body.length; at += 1021) body.writeUInt32LE(at, at);
    await store.put('large', body);
    expect(sha256(await getVerified(store, 'large', sha256(body)))).toBe(sha256(body));
    const begin = (17 << 20) + 1;
    const pieces: Uint8Array[] = [];
    for await (const piece of store.read('large', begin)) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(10);
    expect(sha256(Buffer.concat(pieces))).toBe(sha256(body.subarray(begin)));
    expect(await store.list('')).toEqual([{ key: 'large', sizeBytes: body.length }]);
    await expect(store.read('nothing')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'not-found' });
  });

  test('of many simultaneous puts with ifAbsent one wins, and its object stays', async () => {
    const store = fresh();
    const bodies = Array.from({ length: 8 }, (_, i) => `body ${i}`);
    const outcomes = await Promise.allSettled(bodies.map((body) => store.put('term', body, { ifAbsent: true })));
    const won = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [bodies[i]] : []));
    expect(won).toHaveLength(1);
    expect((await store.get('term')).toString()).toBe(won[0]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' });
    }
  });

  test('a put that may only create is honoured, as a trial that leaves nothing shows', async () => {
    const store = fresh();
    await checkConditionalPuts(store);
    expect(await store.list('')).toEqual([]);
  });

  test('coordinators that claim simultaneously get different terms', async () => {
    const store = fresh();
    const terms = await Promise.all([1, 2, 3, 4].map((port) => claimTerm(store, `127.0.0.1:${port}`)));
    expect(terms.map(({ term }) => term).sort()).toEqual([1, 2, 3, 4]);
    expect(await newestTerm(store)).toEqual(terms.find(({ term }) => term === 4));
  });

  test('a reader sees the whole of the old object or of the new, never a part', async () => {
    const store = fresh();
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
    const store = fresh();
    for (const key of ['b/2', 'a/10', 'ab', 'a/1/x', 'c']) await store.put(key, key);
    expect(await keysOf(store, '')).toEqual(['a/1/x', 'a/10', 'ab', 'b/2', 'c'].sort());
    expect(await keysOf(store, 'a/')).toEqual(['a/1/x', 'a/10']);
    expect(await keysOf(store, 'a/1')).toEqual(['a/1/x', 'a/10']);
    expect(await keysOf(store, 'nothing/')).toEqual([]);
    expect(await keysOf(store.at('a'), '')).toEqual(['1/x', '10']);
    expect(await store.list('b/')).toEqual([{ key: 'b/2', sizeBytes: 3 }]);
    expect(await fresh().list('')).toEqual([]);
  });

  test('a command fills its own output folder, continues after an interruption, and leaves somebody’s files alone', async () => {
    const store = fresh();
    await (await openOutputFolder(store, { inputs: [] })).put('shard-000007.tar', 'half of a dataset');
    const out = await openOutputFolder(store, { inputs: [] });
    await out.put('shard-000000.tar', 'all of it');
    await out.finish('manifest.json', '{}');
    expect(await keysOf(store, '')).toEqual(['manifest.json', 'shard-000000.tar']);
    await expect(openOutputFolder(store, { inputs: [] })).rejects.toMatchObject({
      code: 'invalid',
      message: `${store.url} holds manifest.json, which fourfold did not create`,
    });
    await expect(openOutputFolder(fresh(), { inputs: [root().url] })).rejects.toMatchObject({ code: 'invalid' });
  });

  test('tidying a folder removes no object', async () => {
    const store = fresh();
    for (const key of ['a/1', 'a/b/2', 'ab/3', 'c']) await store.put(key, key);
    for (const key of ['a', 'a/b', 'nothing']) await store.tidyFolder(key);
    expect(await keysOf(store, '')).toEqual(['a/1', 'a/b/2', 'ab/3', 'c']);
  });

  test.each(['../other', 'a/../../other', '..'])('key %s leads out of the store and is refused', async (key) => {
    const store = fresh();
    const refusal = { code: 'invalid', message: `object key ${key} leads out of ${store.url}` };
    await expect(store.get(key)).rejects.toMatchObject(refusal);
    await expect(store.put(key, '')).rejects.toMatchObject(refusal);
    await expect(store.remove(key)).rejects.toMatchObject(refusal);
    await expect(store.tidyFolder(key)).rejects.toMatchObject(refusal);
    expect(() => store.at(key)).toThrow(refusal.message);
  });

  test('damaged objects are named', async () => {
    const store = fresh();
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
}
