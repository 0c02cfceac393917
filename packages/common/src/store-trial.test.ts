import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FourfoldError } from './errors.js';
import { openStore, type ObjectStore } from './object-store.js';
import { tryStore } from './store-trial.js';

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-store-trial-'));
  run = openStore(folder).at('runs/small');
});
afterEach(() => rm(folder, { recursive: true }));

const never = (error: unknown) => {
  throw error;
};
const refused = () => Promise.reject(new FourfoldError('refused', 'it is not allowed'));

test('of the trial nothing stays', async () => {
  await tryStore(run, never);
  expect(await run.list('')).toEqual([]);
});

test.each<[string, Partial<ObjectStore>]>([
  ['written', { put: refused }],
  ['read', { get: refused }],
  ['listed', { list: refused }],
])('a store that cannot be %s is refused by its own reason', async (verb, broken) => {
  await expect(tryStore({ ...run, ...broken }, never)).rejects.toMatchObject({
    code: 'refused',
    message: `the run's store cannot be ${verb}: it is not allowed`,
  });
  expect(await run.list('')).toEqual([]);
});

test('a store that gives back other bytes, or does not list, is refused', async () => {
  const other = { ...run, get: () => Promise.resolve(Buffer.from('other')) };
  await expect(tryStore(other, never)).rejects.toMatchObject({ code: 'corrupt' });
  const silent = { ...run, list: () => Promise.resolve([]) };
  await expect(tryStore(silent, never)).rejects.toMatchObject({ code: 'invalid' });
});

test('a store that removes nothing is told, and is good enough', async () => {
  const told: unknown[] = [];
  await tryStore({ ...run, remove: refused }, (error) => told.push(error));
  expect(told).toEqual([expect.objectContaining({ code: 'refused' })]);
});

test('a folder in whose place there is a file cannot be written', async () => {
  await writeFile(join(folder, 'runs'), 'a file');
  await expect(tryStore(run, never)).rejects.toThrow(/^the run's store cannot be written: file:/);
});
