import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { claimFolder } from './marked-folder.js';

/** Whether flushing a file fails, as on a full disk. */
const disk = vi.hoisted(() => ({ isFull: false }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    async open(...args: Parameters<typeof real.open>) {
      const handle = await real.open(...args);
      const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
      if (disk.isFull) handle.datasync = () => Promise.reject(full);
      return handle;
    },
  };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-marked-'));
});
afterEach(() => rm(folder, { recursive: true }));

const isOlder = async (place: string) => (await readdir(place)).includes('config.yaml');
const claim = (name: string) =>
  claimFolder(join(folder, name), { file: 'demo.json', format: 'fourfold-demo', isOlder });
const write = (name: string, text: string) => writeFile(join(folder, name), text);

test('a new or empty folder is claimed and marked, and recognised later', async () => {
  await write('.DS_Store', 'of a file manager');
  for (const place of ['.', 'a/new']) {
    expect(await claim(place)).toBe(false);
    await write(join(place, 'report.json'), '{}');
    expect(await claim(place)).toBe(true);
  }
});

test('a mark that did not reach the disk does not count: the folder can be claimed later', async () => {
  disk.isFull = true;
  await expect(claim('.').finally(() => (disk.isFull = false))).rejects.toMatchObject({ code: 'no-space' });
  expect(await readdir(folder)).toEqual([]);
  expect(await claim('.')).toBe(false);
});

test('a folder made by a version without marks is recognised, too', async () => {
  await write('config.yaml', 'recipe: demo');
  expect(await claim('.')).toBe(true);
  await rm(join(folder, 'config.yaml'));
  expect(await claim('.')).toBe(true);
});

test.each([
  ['thesis.docx', 'mine'],
  ['demo.json', '{"format": "of another program"}'],
  ['demo.json', 'no JSON'],
])('somebody else’s folder is refused and left unchanged: %s', async (name, text) => {
  await write(name, text);
  await expect(claim('.')).rejects.toMatchObject({
    code: 'invalid',
    message: `${folder} holds ${name}, and is not a folder of fourfold-demo`,
  });
  expect(await readdir(folder)).toEqual([name]);
});
