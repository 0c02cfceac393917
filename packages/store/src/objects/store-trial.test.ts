import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FourfoldError, createLogger } from '@fourfold/common';
import { openStore } from './object-store.js';
import type { ObjectStore } from './types.js';
import { tryStore } from './store-trial.js';

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-store-trial-'));
  run = openStore(folder).at('runs/small');
});
afterEach(() => rm(folder, { recursive: true }));

const log = createLogger('test');
const warn = vi.spyOn(log, 'warn').mockReturnValue();
const refused = () => Promise.reject(new FourfoldError('refused', 'it is not allowed'));

test('the trial leaves nothing', async () => {
  await tryStore(run, log);
  expect(await run.list('')).toEqual([]);
  expect(warn).not.toHaveBeenCalled();
});

test.each<[string, Partial<ObjectStore>]>([
  ['written', { put: refused }],
  ['read', { get: refused }],
  ['listed', { list: refused }],
])('a store that cannot be %s is refused with its own reason', async (verb, broken) => {
  await expect(tryStore({ ...run, ...broken }, log)).rejects.toMatchObject({
    code: 'refused',
    message: `the run's store cannot be ${verb}: it is not allowed`,
  });
  expect(await run.list('')).toEqual([]);
});

test('a store that returns other bytes, or does not list, is refused', async () => {
  const other = { ...run, get: () => Promise.resolve(Buffer.from('other')) };
  await expect(tryStore(other, log)).rejects.toMatchObject({ code: 'corrupt' });
  const silent = { ...run, list: () => Promise.resolve([]) };
  await expect(tryStore(silent, log)).rejects.toMatchObject({ code: 'invalid' });
});

test('a store that removes nothing is logged and accepted', async () => {
  await tryStore({ ...run, remove: refused }, log);
  const logged = { event: 'store-no-delete', reason: 'it is not allowed' };
  expect(warn).toHaveBeenCalledExactlyOnceWith(logged, expect.stringContaining('old checkpoints will stay'));
});

test('a store whose folder is a file cannot be written', async () => {
  await writeFile(join(folder, 'runs'), 'a file');
  await expect(tryStore(run, log)).rejects.toThrow(/^the run's store cannot be written: file:/);
});
