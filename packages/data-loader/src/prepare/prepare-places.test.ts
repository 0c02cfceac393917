import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { openStore } from '@fourfold/store';
import { writeTar } from '../sources/test-archives.js';
import { photographPath } from '../test-pictures.js';
import { prepare } from './prepare.js';
import { usePrepareFolders, writeAwkwardPictures } from './test-folders.js';

const { inFolder, options } = usePrepareFolders();

it('refuses to write over a dataset', async () => {
  const chosen = options({ images: photographPath('held-out'), store: openStore(inFolder('dataset')) });
  await prepare(chosen);
  await expect(prepare(chosen)).rejects.toMatchObject({ code: 'invalid' });
});

it.each(['in place', 'from elsewhere'])(
  'leaves alone files of the user’s that are named like shards, %s',
  async (how) => {
    const wds = inFolder('wds');
    const tar = join(wds, 'shard-000000.tar');
    await mkdir(wds);
    await writeTar(tar, { '000.cls': Buffer.from('a label') });
    const before = await readFile(tar);
    const images = how === 'in place' ? wds : photographPath('held-out');
    await expect(prepare(options({ images, store: openStore(wds) }))).rejects.toMatchObject({
      code: 'invalid',
      message:
        how === 'in place' ? /is .*wds itself, which is read/ : /holds shard-000000.tar, which fourfold did not create/,
    });
    expect(await readdir(wds)).toEqual(['shard-000000.tar']);
    expect(Buffer.compare(await readFile(tar), before)).toBe(0);
  },
);

it('does not write among the photographs that it reads, which could never be prepared again', async () => {
  await writeAwkwardPictures(inFolder());
  const files = await readdir(inFolder());
  for (const store of [openStore(inFolder()), openStore(inFolder('deep/dataset'))]) {
    await expect(prepare(options({ store }))).rejects.toMatchObject({ code: 'invalid', message: /which is read/ });
  }
  expect(await readdir(inFolder())).toEqual(files);
  await prepare(options({}));
});

it('reports a full disk, and leaves no manifest', async () => {
  // A limit on the size of a file, which any user may set, stands for the disk's end; it needs the built package.
  const script = `
    import { describeError } from '@fourfold/common';
    import { openStore } from '@fourfold/store';
    import { prepare, prepareDefaults } from '@fourfold/data-loader';
    const [images, out] = process.argv.slice(1);
    await prepare({ ...prepareDefaults, images, store: openStore(out), name: 'test' }).catch((error) => {
      console.log(error.code + ': ' + describeError(error));
    });`;
  const out = inFolder('dataset');
  const command = 'ulimit -f 512; exec "$0" --input-type=module -e "$1" "$2" "$3"';
  const { stdout } = await promisify(execFile)(
    'bash',
    ['-c', command, process.execPath, script, photographPath('train'), out],
    { cwd: fileURLToPath(new URL('..', import.meta.url)) },
  );
  expect(stdout).toMatch(/^no-space: .*shard-000000\.tar could not be written: the disk is full.*; free some space\n$/);
  expect(await readdir(out)).toEqual(['unfinished.json']);
});
