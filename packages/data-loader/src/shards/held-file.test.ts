import { mkdtemp, open, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '@fourfold/common';
import { hashOnce } from './held-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-held-'));
});
afterEach(() => rm(folder, { recursive: true }));

const hashOf = async (path: string): Promise<string> => {
  const handle = await open(path);
  try {
    return await hashOnce(handle);
  } finally {
    await handle.close();
  }
};

test('a file is read once, and again when its time of change, its size or its inode differ', async () => {
  const path = join(folder, 'shard');
  const time = new Date('2026-11-29T12:00:00Z');
  const write = async (text: string, modified: Date) => {
    await writeFile(path, text);
    await utimes(path, new Date(), modified);
  };
  await write('first', time);
  expect(await hashOf(path)).toBe(sha256('first'));
  // The same inode, size and time: only a hash that is remembered is still the first.
  await write('other', time);
  expect(await hashOf(path)).toBe(sha256('first'));
  await write('other', new Date(time.getTime() + 1));
  expect(await hashOf(path)).toBe(sha256('other'));
  await write('longer', new Date(time.getTime() + 1));
  expect(await hashOf(path)).toBe(sha256('longer'));
  const kept = await open(path);
  await rm(path);
  await write('replaced'.slice(0, 6), new Date(time.getTime() + 1));
  expect(await hashOf(path)).toBe(sha256('replac'));
  await kept.close();
});
