import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkRunPlace, removeRun } from './run-place.js';

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-run-place-'));
  run = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

test('a run does not start where its records would overwrite somebody’s files', async () => {
  await checkRunPlace(run);
  await run.put('run.json', JSON.stringify({ format: 1, name: 'a', term: 3, anything: 'else' }));
  await run.put('finished.json', JSON.stringify({ term: 3, iterations: 9 }));
  await checkRunPlace(run);
  for (const key of ['run.json', 'finished.json']) {
    const ours = await run.get(key);
    for (const theirs of ['{"format": "tensorboard"}', 'my notes', '']) {
      await run.put(key, theirs);
      await expect(checkRunPlace(run)).rejects.toMatchObject({
        code: 'invalid',
        message: `${run.url}/${key} already exists, and fourfold did not write it`,
      });
    }
    await run.put(key, ours);
  }
});

test('a run is removed with its folders, and nothing else', async () => {
  const ours = [
    ...['run.json', 'finished.json', 'train.log', 'terms/00000001.json'],
    ...['manifest.json', 'generator-average.safetensors'].map((file) => `checkpoints/00000010-0001/${file}`),
    ...['checkpoints/00000020-0001/generator.safetensors', 'validation/a.png/original.webp'],
    'validation/a.png/00000010.webp',
  ];
  for (const key of ours) await run.put(key, 'ours');
  const theirs = [
    'checkpoints/00000010-0001/model.onnx',
    'notes/run.json',
    'thesis.docx',
    'validation/a.png/mine.webp',
  ];
  for (const key of theirs) await run.put(key, 'theirs');
  await removeRun(run);
  expect((await run.list('')).map(({ key }) => key)).toEqual(theirs);
  expect((await readdir(folder)).sort()).toEqual(['checkpoints', 'notes', 'thesis.docx', 'validation']);
  for (const key of theirs) await run.remove(key);
  for (const key of ours) await run.put(key, 'ours');
  await rm(join(folder, 'notes'), { recursive: true });
  await removeRun(run);
  await expect(readdir(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  await run.put('terms/00000001.json', 'so that there is something to remove');
});
