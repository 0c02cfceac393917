import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '@fourfold/common';
import { fourfold, heldOutPhotographs, inFolder, writeSmallCheckpoint } from './test-support.js';

test('several sets and methods in one table, with the paper beside ours', async () => {
  await inFolder(async (folder) => {
    const copy = async (set: string, name: string) => {
      await mkdir(join(folder, set), { recursive: true });
      await cp(join(heldOutPhotographs, name), join(folder, set, name));
    };
    await Promise.all([copy('Set5', 'coffee.png'), copy('mine', 'colosseum.jpg'), copy('mine', 'hedgehog.jpg')]);
    await writeSmallCheckpoint(openStore(join(folder, 'run')), 4, { channels: 4, blocks: 1 });
    const evaluate = (...more: string[]) =>
      fourfold(folder, ...['evaluate', '--images', 'Set5', '--images', 'mine', '--method', 'bicubic'], ...more);
    const [text, json] = await Promise.all([
      evaluate('--method', 'lanczos'),
      evaluate('--checkpoint', 'run', '--backend', 'wasm', '--json'),
    ]);
    expect(text.stdout).toMatch(/^Set5:\npicture +bicubic dB +SSIM +lanczos dB +SSIM\ncoffee\.png +27\.29 +0\.7648 /);
    expect(text.stdout).toMatch(
      /\nSet5 .*Ledig et al\. 2017, tables 1 and 2.*\nnearest +26\.26 +0\.7552 +1\.28\nbicubic +27\.29 +0\.7648 +28\.43 +0\.8211 +1\.97\n/,
    );
    expect(text.stdout).toMatch(
      /\n\nmine:\npicture .*\ncolosseum\.jpg +22\.43 .*\nhedgehog\.jpg +19\.25 .*\nmean +20\.84 .*\n$/,
    );
    const { sets } = JSON.parse(json.stdout) as {
      sets: { subjects: { name: string; variant?: string; mean: { psnr: number } }[] }[];
    };
    expect(sets.map(({ subjects }) => subjects.map(({ name }) => name))).toEqual([
      ['bicubic', 'small at 4'],
      ['bicubic', 'small at 4'],
    ]);
    expect(sets[0].subjects.map(({ variant }) => variant)).toEqual([undefined, 'SRResNet-MSE']);
    expect(sets[1].subjects[0].mean.psnr).toBeCloseTo((22.4271 + 19.2469) / 2, 3);
    expect(sets[1].subjects[1].mean.psnr).toBeLessThan(20);
  });
});

test('a folder without pictures, a picture that is none, nothing to measure: one line and exit code 2', async () => {
  await inFolder(async (folder) => {
    const evaluate = (...args: string[]) => fourfold(folder, 'evaluate', '--images', folder, ...args);
    const empty = await evaluate('--method', 'bicubic');
    expect(empty).toMatchObject({ exitCode: 2, stdout: '' });
    expect(empty.stderr).toMatch(/^fourfold: folder .* holds no pictures to measure on; .*\n$/);

    await writeFile(join(folder, 'note.png'), 'no picture at all');
    const broken = await evaluate('--method', 'nearest');
    expect(broken).toMatchObject({ exitCode: 2, stdout: '' });
    expect(broken.stderr).toMatch(/^fourfold: .*note\.png: \S.*\n$/);

    const nothing = await evaluate();
    expect(nothing.exitCode).toBe(2);
    expect(nothing.stderr).toMatch(/^fourfold: evaluate: nothing to measure; give --checkpoint URL, or --method .*\n$/);
  });
});
