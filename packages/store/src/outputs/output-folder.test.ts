import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FourfoldError } from '@fourfold/common';
import { openStore } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { openOutputFolder, unfinishedKey } from './output-folder.js';

let folder: string;
let out: ObjectStore;
const place = (name: string) => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-output-'));
  out = openStore(place('out'));
});
afterEach(() => rm(folder, { recursive: true }));

const open = (inputs: string[] = []) => openOutputFolder(out, { inputs });
const held = async () => (await out.list('')).map(({ key }) => key);

test('a folder is filled, and marked until it is complete', async () => {
  await mkdir(place('out'));
  await writeFile(place('out/.DS_Store'), 'of a file manager');
  const filled = await open();
  expect(await held()).toEqual(['.DS_Store']);
  await filled.put('b/shard', 'a shard');
  expect(await held()).toEqual(['.DS_Store', 'b/shard', unfinishedKey]);
  await filled.finish('manifest.json', '{}');
  expect(await held()).toEqual(['.DS_Store', 'b/shard', 'manifest.json']);
});

test('after an interruption the next command recognises its objects, and removes those that it does not need', async () => {
  const first = await open();
  for (const key of ['a', 'b', 'c']) await first.put(key, 'first');
  await (await open()).put('a', 'second');
  const third = await open();
  await third.put('b', 'third');
  await third.finish('manifest.json', '{}');
  expect(await held()).toEqual(['b', 'manifest.json']);
});

test('temporary objects are removed when the folder is complete, and known after an interruption', async () => {
  const first = await open();
  await first.put('a', 'first');
  await first.putTemporary('a.note', 'a note');
  const second = await open();
  expect(second.left).toEqual(['a', 'a.note']);
  await second.claim(['a']);
  await second.putTemporary('b.note', 'a note');
  await second.finish('manifest.json', '{}');
  expect(await held()).toEqual(['a', 'manifest.json']);
});

test('temporary objects of an interrupted command that are still needed stay until the final object is written', async () => {
  const first = await open();
  await first.put('a', 'first');
  await first.putTemporary('a.note', 'a note');
  const real = out;
  out = {
    ...real,
    put: (key, ...rest) => (key === 'manifest.json' ? Promise.reject(new Error('full')) : real.put(key, ...rest)),
  };
  const second = await open();
  await second.claim(['a']);
  await second.claimTemporary(['a.note']);
  await expect(second.finish('manifest.json', '{}')).rejects.toThrow('full');
  expect(await held()).toEqual(['a', 'a.note', unfinishedKey]);
  out = real;
  const third = await open();
  await third.claim(['a']);
  await third.claimTemporary(['a.note']);
  await third.finish('manifest.json', '{}');
  expect(await held()).toEqual(['a', 'manifest.json']);
});

test('folder markers that consoles put into buckets do not count', async () => {
  const real = out;
  const markers = ['', 'deep/'].map((key) => ({ key, sizeBytes: 0 }));
  out = { ...real, list: async (prefix) => [...(prefix === '' ? markers : []), ...(await real.list(prefix))] };
  await open();
});

test('a dangling link belongs to somebody else', async () => {
  await mkdir(place('out'));
  await symlink(place('nowhere'), place('out/shard-000000.tar'));
  await expect(open()).rejects.toThrow('holds shard-000000.tar, which fourfold did not create');
});

test('a store that forbids deletion still accepts whole outputs', async () => {
  const real = out;
  out = { ...real, remove: () => Promise.reject(new FourfoldError('refused', 'no DeleteObject')) };
  const filled = await open();
  await filled.put('a', 'text');
  await filled.finish('manifest.json', '{}');
  expect(await held()).toEqual(['a', 'manifest.json', unfinishedKey]);
});

test.each([
  ['without a mark', undefined],
  ['with a mark that names others', { format: 'fourfold-unfinished', version: 1, files: ['other.tar'] }],
  ['with a mark of something else', { format: 'ours', version: 1, files: ['shard-000000.tar'] }],
  [
    'with a mark that names hidden files',
    { format: 'fourfold-unfinished', version: 1, files: ['.env', 'shard-000000.tar'] },
  ],
  ['with a mark that leads out', { format: 'fourfold-unfinished', version: 1, files: ['../x', 'shard-000000.tar'] }],
])('a folder that holds an object not known to be ours is refused, %s', async (_, mark) => {
  await out.put('shard-000000.tar', 'the user’s');
  if (mark) await out.put(unfinishedKey, JSON.stringify(mark));
  const before = await held();
  await expect(open()).rejects.toMatchObject({
    code: 'invalid',
    message: `${out.url} holds shard-000000.tar, which fourfold did not create`,
  });
  expect(await held()).toEqual(before);
});

test.each([
  ['the same folder', 'out', 'is ', ' itself'],
  ['the same by a link', 'link', 'is ', ' itself'],
  ['a folder around it', '.', 'is inside ', ''],
  ['a folder in it', 'out/photos', 'contains ', ''],
  ['a file in it', 'out/photos/a.zip', 'contains ', ''],
])('an input cannot be the output: %s', async (_, name, before, after) => {
  await mkdir(place('out/photos'), { recursive: true });
  await writeFile(place('out/photos/a.zip'), 'pictures');
  await symlink(place('out'), place('link'));
  const message = `${out.url} ${before}${place(name)}${after}, which is read`;
  await expect(open([place(name)])).rejects.toMatchObject({ code: 'invalid', message });
});

test('a folder that does not exist yet lies where it will be created', async () => {
  await mkdir(place('photos'));
  await symlink(place('photos'), place('link'));
  out = openStore(place('link/deep/out'));
  await expect(open([place('photos')])).rejects.toThrow(`is inside ${place('photos')}`);
  await open([place('photographs'), 's3://bucket/photos']);
});

test('a folder linked into an input is part of it', async () => {
  await mkdir(place('photos/deep'), { recursive: true });
  await mkdir(place('far'));
  await symlink(place('far'), place('photos/deep/link'));
  out = openStore(place('far/out'));
  await expect(open([place('photos')])).rejects.toThrow(`is inside ${place('photos')}`);
});

test('objects of a place that are not read are free', async () => {
  await mkdir(place('run'));
  const input = { place: place('run'), reads: (key: string) => key.startsWith('checkpoints') };
  const refused = (name: string) => openOutputFolder(openStore(place(name)), { inputs: [input] });
  await refused('run/copy');
  await expect(refused('run/checkpoints/copy')).rejects.toThrow(`is inside ${place('run')}`);
  await expect(refused('run')).rejects.toThrow(`is ${place('run')} itself`);
});

test('places in buckets are distinguished by their paths', async () => {
  const at = (url: string) => ({ ...out, url });
  const refused = (url: string, input: string) => openOutputFolder(at(url), { inputs: [input] });
  await expect(refused('s3://bucket/a', 's3://bucket/a/')).rejects.toThrow('is s3://bucket/a/ itself');
  await expect(refused('s3://bucket/a/b', 's3://bucket/a')).rejects.toThrow('is inside s3://bucket/a');
  await expect(refused('s3://bucket/a', 's3://bucket')).rejects.toThrow('is inside s3://bucket');
  await expect(refused('s3://bucket', 's3://bucket/a')).rejects.toThrow('contains s3://bucket/a, which');
  await refused('s3://bucket/ab', 's3://bucket/a');
  await refused('s3://other/a', 's3://bucket/a');
});
