import { link, lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { listInput, type InputPlace } from './input-places.js';
import { checkOutputFile, writeOutputFile } from './output-file.js';

/** How the file system fails: it has no links, or cannot rename. */
const failing = vi.hoisted(() => ({ link: '', rename: false }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const unless = (code: string | false, work: () => Promise<void>) =>
    code ? Promise.reject(Object.assign(new Error(code), { code })) : work();
  return {
    ...real,
    link: (...args: Parameters<typeof real.link>) => unless(failing.link, () => real.link(...args)),
    rename: (...args: Parameters<typeof real.rename>) => unless(failing.rename && 'EIO', () => real.rename(...args)),
  };
});

let folder: string;
const place = (name: string) => join(folder, name);
beforeEach(async () => {
  Object.assign(failing, { link: '', rename: false });
  folder = await mkdtemp(join(tmpdir(), 'fourfold-output-'));
  await mkdir(place('photos/deep'), { recursive: true });
  await writeFile(place('photos/deep/p1.jpg'), 'a photograph');
  await writeFile(place('old.png'), 'a figure');
});
afterEach(() => rm(folder, { recursive: true }));

const check = (name: string, force = false, inputs: InputPlace[] = [place('photos')]) =>
  checkOutputFile(place(name), { inputs, force });
const refusal = (message: string) => ({ code: 'invalid', message });

test('a new file may be written; an existing one needs force', async () => {
  await check('new.png');
  await check('no/folder/yet.png');
  await expect(check('old.png')).rejects.toMatchObject({
    ...refusal(`${place('old.png')} already exists`),
    options: { hint: 'name another file, or give --force to overwrite it' },
  });
  await check('old.png', true);
});

test.each([
  ['itself', 'photos/deep/p1.jpg'],
  ['a link to it', 'link.jpg'],
  ['another name of the same file', 'hard.jpg'],
  ['a path through a linked folder', 'linked/p1.jpg'],
])('an input is never overwritten, not even with force: %s', async (_, name) => {
  await symlink(place('photos/deep/p1.jpg'), place('link.jpg'));
  await link(place('photos/deep/p1.jpg'), place('hard.jpg'));
  await symlink(place('photos/deep'), place('linked'));
  for (const input of [place('photos'), await listInput(place('photos'))]) {
    await expect(check(name, true, [input])).rejects.toMatchObject(
      refusal(`${place(name)} is in ${place('photos')}, which is read`),
    );
  }
  const photograph = place('photos/deep/p1.jpg');
  const isItself = place(name) === photograph;
  await expect(check(name, true, ['s3://bucket/photos', photograph])).rejects.toMatchObject(
    refusal(isItself ? `${photograph} is the input` : `${place(name)} is ${photograph}, which is read`),
  );
});

test.each([
  ['in it', 'photos/new.png'],
  ['in a folder of it that does not exist yet', 'photos/deep/figures/new.png'],
  ['by a link to a folder of it', 'linked/new.png'],
  ['in a folder linked into it', 'far/figures/new.png'],
])('a new file that the next run would read is refused: %s', async (_, name) => {
  await symlink(place('photos/deep'), place('linked'));
  await mkdir(place('far'));
  await symlink(place('far'), place('photos/deep/far'));
  await symlink(place('photos'), place('photos/circle'));
  for (const input of [place('photos'), await listInput(place('photos'))]) {
    await expect(check(name, false, [input])).rejects.toMatchObject(
      refusal(`${place(name)} would be in ${place('photos')}, which is read`),
    );
  }
});

test('an output may be beside the files that are read of a folder, under another name', async () => {
  const input = { place: place('photos'), reads: (key: string) => key.endsWith('.jpg') };
  await writeFile(place('photos/old.png'), 'a figure');
  await check('photos/new.png', false, [input]);
  await check('photos/old.png', true, [input]);
  await expect(check('photos/new.jpg', false, [input])).rejects.toThrow('would be in');
  await link(place('photos/deep/p1.jpg'), place('photos/hard.png'));
  await expect(check('photos/hard.png', true, [input])).rejects.toThrow('is in');
});

test('a file cannot be written below another', async () => {
  const message = `${place('old.png/new.png')}: ${place('old.png')} is a file; a folder is needed`;
  await expect(check('old.png/new.png')).rejects.toMatchObject(refusal(message));
});

describe.each([
  ['with links', ''],
  ['without links', 'EPERM'],
])('a file system %s', (_, linkError) => {
  const write = (name: string, force: boolean, text = 'new') =>
    writeOutputFile(place(name), { force }, (partial) => writeFile(partial, text));
  const read = (name: string) => readFile(place(name), 'utf8');
  beforeEach(() => {
    failing.link = linkError;
  });

  test('a file appears only when it is complete', async () => {
    await writeOutputFile(place('new.png'), { force: false }, async (partial) => {
      await writeFile(partial, 'half');
      expect(await readdir(folder)).not.toContain('new.png');
      await writeFile(partial, 'whole');
    });
    expect(await read('new.png')).toBe('whole');
    expect((await readdir(folder)).sort()).toEqual(['new.png', 'old.png', 'photos']);
  });

  test('a failure changes nothing', async () => {
    for (const [name, force] of [
      ['new.png', false],
      ['old.png', true],
    ] as const) {
      const interrupted = writeOutputFile(place(name), { force }, async (partial) => {
        await writeFile(partial, 'half');
        throw Object.assign(new Error('write'), { code: 'ENOSPC' });
      });
      await expect(interrupted).rejects.toMatchObject({ code: 'no-space' });
    }
    failing.rename = true;
    await expect(write('old.png', true)).rejects.toMatchObject({ code: 'unavailable' });
    if (linkError) await expect(write('new.png', false)).rejects.toMatchObject({ code: 'unavailable' });
    expect((await readdir(folder)).sort()).toEqual(['old.png', 'photos']);
    expect(await read('old.png')).toBe('a figure');
  });

  test('a file that has appeared meanwhile stays, without force', async () => {
    await symlink(place('nowhere'), place('dangling.png'));
    for (const name of ['old.png', 'dangling.png']) {
      await expect(write(name, false)).rejects.toMatchObject({
        ...refusal(`${place(name)} already exists`),
        options: { hint: 'name another file, or give --force to overwrite it' },
      });
    }
    expect(await read('old.png')).toBe('a figure');
    expect((await readdir(folder)).sort()).toEqual(['dangling.png', 'old.png', 'photos']);
  });

  test('with force it is overwritten, and a link to it stays a link', async () => {
    await symlink(place('old.png'), place('link.png'));
    await write('link.png', true);
    expect(await read('old.png')).toBe('new');
    expect((await lstat(place('link.png'))).isSymbolicLink()).toBe(true);
  });
});

test('a folder, a device and a dangling link are not overwritten', async () => {
  await expect(check('photos', true)).rejects.toMatchObject(refusal(`${place('photos')} is a folder`));
  await symlink(place('nowhere'), place('dangling.png'));
  for (const path of ['/dev/null', place('dangling.png')]) {
    await expect(checkOutputFile(path, { inputs: [], force: true })).rejects.toThrow('is not a regular file');
  }
});
