import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkOutputFile } from './output-file.js';

let folder: string;
const place = (name: string) => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-output-'));
  await mkdir(place('photos/deep'), { recursive: true });
  await writeFile(place('photos/deep/p1.jpg'), 'a photograph');
  await writeFile(place('old.png'), 'a figure');
});
afterEach(() => rm(folder, { recursive: true }));

const check = (name: string, force = false, inputs = [place('photos')]) =>
  checkOutputFile(place(name), { inputs, force });
const refusal = (message: string) => ({ code: 'invalid', message });

test('a file that is not there may be written; one that is there, with force', async () => {
  await check('new.png');
  await check('no/folder/yet.png');
  await expect(check('old.png')).rejects.toMatchObject({
    ...refusal(`${place('old.png')} exists already`),
    options: { mend: 'name another file, or give --force to write over it' },
  });
  await check('old.png', true);
});

test.each([
  ['itself', 'photos/deep/p1.jpg'],
  ['a link to it', 'link.jpg'],
  ['another name of the same file', 'hard.jpg'],
  ['a path through a linked folder', 'linked/p1.jpg'],
])('what is read is not written over, whatever force says: %s', async (_, name) => {
  await symlink(place('photos/deep/p1.jpg'), place('link.jpg'));
  await link(place('photos/deep/p1.jpg'), place('hard.jpg'));
  await symlink(place('photos/deep'), place('linked'));
  await expect(check(name, true)).rejects.toMatchObject(
    refusal(`${place(name)} is in ${place('photos')}, which is read`),
  );
  const photograph = place('photos/deep/p1.jpg');
  await expect(check(name, true, ['s3://bucket/photos', photograph])).rejects.toMatchObject(
    refusal(`${place(name)} is ${photograph}, which is read`),
  );
});

test('a folder, a device and a link that leads nowhere are not written over', async () => {
  await expect(check('photos', true)).rejects.toMatchObject(refusal(`${place('photos')} is a folder`));
  await symlink(place('nowhere'), place('dangling.png'));
  for (const path of ['/dev/null', place('dangling.png')]) {
    await expect(checkOutputFile(path, { inputs: [], force: true })).rejects.toThrow('is no plain file');
  }
});
