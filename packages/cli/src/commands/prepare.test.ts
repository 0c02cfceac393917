import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { openStore } from '@fourfold/store';
import { cropPicture, downscale, readPicture } from '@fourfold/imaging';
import { expect, test } from 'vitest';
import { fourfold, heldOutPhotographs, inFolder } from '../test-support.js';

/** A folder `photos` with two photographs, one too small and one file that is not a picture. */
const withPhotographs = (use: (folder: string) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const photos = join(folder, 'photos');
    await mkdir(photos);
    const photograph = (name: string, side: number) =>
      sharp(join(heldOutPhotographs, `${name}.jpg`))
        .resize(side, side)
        .toFile(join(photos, `${name}.jpg`));
    await Promise.all([photograph('hedgehog', 240), photograph('raccoon', 256), photograph('red-panda', 40)]);
    await writeFile(join(photos, 'text.png'), 'no picture at all');
    await use(folder);
  });

test('files taken and files left out are listed, with reasons', async () => {
  await withPhotographs(async (folder) => {
    const { exitCode, stdout } = await fourfold(folder, 'prepare', '--images', 'photos', '--out', 'dataset');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^took 2 of 4 files:\n {2}hedgehog\.jpg +240x240 +as it is\n {2}raccoon\.jpg +256x256 +as it is\n/,
    );
    expect(stdout).toMatch(/left out 2:\n {2}red-panda\.jpg +too small: 40x40.*\n {2}text\.png +\S.*\n/);
    expect(stdout).toMatch(/dataset dataset: 2 samples in 1 shard, .* at file:.*\/dataset\n$/);

    const again = await fourfold(folder, 'prepare', '--images', 'photos', '--out', 'dataset');
    expect(again).toMatchObject({ exitCode: 2, stdout: '' });
    expect(again.stderr).toMatch(/^fourfold: .*dataset already holds a dataset; .*\n$/);
    const args = ['prepare', '--images', 'elsewhere', '--out', 'dataset', '--if-missing'];
    const existing = await fourfold(folder, ...args);
    expect(existing).toMatchObject({ exitCode: 0, stderr: '' });
    expect(existing.stdout).toMatch(/^it exists: dataset dataset: 2 samples in 1 shard, .*\/dataset\n$/);
  });
});

test('--json is one object with the same', async () => {
  await withPhotographs(async (folder) => {
    const args = ['prepare', '--images', 'photos', '--out', 'tiles', '--name', 'mine', '--tile', '200', '--json'];
    const { exitCode, stdout } = await fourfold(folder, ...args);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      taken: [
        { file: 'hedgehog.jpg', storedAs: 'tiles' },
        { file: 'raccoon.jpg', storedAs: 'tiles' },
      ],
      left: [{ file: 'red-panda.jpg' }, { file: 'text.png' }],
      manifest: { name: 'mine', pictures: 2, encoding: 'pixels' },
    });
  });
});

test('nothing usable, no folder, a bad number: one line, exit code 2', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'photos'));
    await writeFile(join(folder, 'photos', 'text.png'), 'no picture at all');
    const outcomes = await Promise.all([
      fourfold(folder, 'prepare', '--images', 'photos', '--out', 'dataset'),
      fourfold(folder, 'prepare', '--images', 'nowhere', '--out', 'dataset'),
      fourfold(folder, 'prepare', '--images', 'photos', '--out', 'dataset', '--sample', '0'),
      fourfold(folder, 'prepare', '--images', 'photos', '--out', 'dataset', '--tile', '130'),
      fourfold(folder, 'prepare', '--images', 'photos'),
    ]);
    const messages = [
      /has no usable photograph/,
      /nowhere does not exist; name a folder/,
      /--sample is 0: it must be a whole number, at least 1/,
      /--tile is 130: it must be a multiple of 4/,
      /prepare: --out <url> must be given/,
    ];
    for (const [i, { exitCode, stdout, stderr }] of outcomes.entries()) {
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(/^fourfold: .*\n$/);
      expect(stderr).toMatch(messages[i]);
    }
  });
});

test('--part takes the part by name and compares its official LR pictures; a missing part is refused', async () => {
  await inFolder(async (folder) => {
    for (const [part, id, name] of [
      ['train', '0001', 'hedgehog'],
      ['valid', '0801', 'raccoon'],
      ['valid', '0802', 'red-panda'],
    ]) {
      const hr = await readPicture(openStore(heldOutPhotographs), `${name}.jpg`);
      const cut = cropPicture(hr, { left: 200, top: 100, width: 128, height: 112 });
      const lr = downscale(cut, 0);
      if (id === '0802') lr.data[0] ^= 1;
      for (const [place, { data, width, height }] of [
        [`DIV2K_${part}_HR/${id}.png`, cut] as const,
        [`DIV2K_${part}_LR_bicubic/X4/${id}x4.png`, lr] as const,
      ]) {
        await mkdir(dirname(join(folder, 'DIV2K', place)), { recursive: true });
        await sharp(data, { raw: { width, height, channels: 3 } }).toFile(join(folder, 'DIV2K', place));
      }
    }
    const prepareInto = (out: string, part: string) =>
      fourfold(folder, 'prepare', '--images', 'DIV2K', '--out', out, '--part', part);
    const [validation, none] = await Promise.all([prepareInto('a', 'validation'), prepareInto('b', 'test')]);
    expect(validation.stdout).toMatch(/^this is DIV2K, its validation part\ntook 2 of 6 files:\n/);
    expect(validation.stdout).toMatch(
      /\nofficial LR pictures: 1 identical to ours bit for bit, 1 different:\n {2}DIV2K_valid_HR\/0802\.png +\S+0802x4\.png +1 of 2688 values differ, by at most 1\n/,
    );
    expect(none).toMatchObject({ exitCode: 2, stdout: '' });
    expect(none.stderr).toMatch(/^fourfold: .*DIV2K has no test part; name the train or validation part\n$/);
  });
});

test('several folders are one dataset: each is a folder of its name in it', async () => {
  await withPhotographs(async (folder) => {
    await mkdir(join(folder, 'more', 'photos'), { recursive: true });
    const more = (name: string) => join(folder, 'more', 'photos', name);
    await sharp(join(heldOutPhotographs, 'raccoon.jpg')).resize(200, 100).toFile(more('raccoon.jpg'));
    await sharp(join(heldOutPhotographs, 'hedgehog.jpg')).resize(240, 240).toFile(more('copy.jpg'));
    const places = ['--images', 'photos', '--images', 'more/photos'];
    const { exitCode, stdout } = await fourfold(folder, 'prepare', ...places, '--out', 'dataset');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^took 3 of 6 files:\n/);
    expect(stdout).toMatch(/ photos-2\/raccoon\.jpg +200x100 /);
    expect(stdout).toMatch(/ photos\/raccoon\.jpg +256x256 /);
    expect(stdout).toMatch(/ photos\/text\.png /);
    expect(stdout).toMatch(/duplicate of photos(-2)?\/(copy|hedgehog)\.jpg/);
    expect(stdout).toMatch(/dataset dataset: 3 samples in 1 shard/);

    const inside = await fourfold(folder, 'prepare', ...places, '--out', 'more/photos/dataset');
    expect(inside).toMatchObject({ exitCode: 2, stdout: '' });
  });
});
