import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '@fourfold/store';
import { expect, test } from 'vitest';
import { readArguments } from './given-arguments.js';
import { fourfold, heldOutPhotographs, inFolder, writeSmallCheckpoint } from './test-support.js';

test.each([
  ['~/photos', join(homedir(), 'photos')],
  ['--out=~/photos', `--out=${homedir()}/photos`],
  ['srgan=~/run', `srgan=${homedir()}/run`],
  ['--set=store=~/x', `--set=store=${homedir()}/x`],
  ['file:~/x', `file:${homedir()}/x`],
  ['~', homedir()],
  ['~draft.jpg', '~draft.jpg'],
  ['a~/b', 'a~/b'],
  ['-dash.jpg', './-dash.jpg'],
  ['-house.jpg', './-house.jpg'],
  ['-f', '-f'],
  ['--out', '--out'],
  ['-0.5', '-0.5'],
  ['-', '-'],
])('%j is %j', (given, meant) => expect(readArguments([given])).toEqual([meant]));

test('arguments after -- are taken as they are', () => {
  expect(readArguments(['--', '-dash.jpg'])).toEqual(['--', '-dash.jpg']);
});

test('another user’s home is refused in one line', async () => {
  const { exitCode, stdout, stderr } = await fourfold('.', 'prepare', '--images=~bob/photos', '--out', 'nowhere');
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toBe(
    'fourfold: ~bob/photos: the home of bob is not known; write the full path, or ./~bob/photos for a file of that name here\n',
  );
});

test('pictures whose names begin with a dash are upscaled like others', async () => {
  await inFolder(async (folder) => {
    await writeSmallCheckpoint(openStore(join(folder, 'store')).at('runs/small'), 1, { channels: 4, blocks: 1 });
    const checkpoint = ['--checkpoint', 'store/runs/small', '--backend', 'wasm'];
    const small = await import('sharp').then(({ default: sharp }) =>
      sharp(join(heldOutPhotographs, 'raccoon.jpg')).resize(24, 16).png().toBuffer(),
    );
    for (const name of ['-house.png', '-nothing']) await writeFile(join(folder, name), small);
    for (const [input, output] of [
      ['-house.png', '-help.png'],
      ['-nothing', 'out.png'],
    ]) {
      const { exitCode, stdout, stderr } = await fourfold(folder, 'upscale', input, output, ...checkpoint);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/96x64 from 24x16/);
    }
    const unknown = await fourfold(folder, 'upscale', '-dsh', 'out.png', ...checkpoint);
    expect(unknown).toMatchObject({
      exitCode: 2,
      stderr: 'fourfold: unknown option -dsh; a file of that name is ./-dsh\n',
    });
  });
});
