import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '@fourfold/common';
import { fourfold, heldOutPhotographs, inFolder, writeSmallCheckpoint } from './test-support.js';

/*
 * PSNR and SSIM of bicubic, computed apart from this repository: resize-right (cubic, antialiased, symmetric edges, an
 * axis at a time, rounded to whole grey levels after each), Y by the formula, scikit-image's structural_similarity with
 * Gaussian weights of sigma 1.5, its map without the 5 pixels where the window sticks out.
 */
const expected = [
  ['coffee.png', 27.2914, 0.76482],
  ['colosseum.jpg', 22.4271, 0.6177],
  ['hawa-mahal.jpg', 23.809, 0.55085],
  ['hedgehog.jpg', 19.2469, 0.43287],
  ['raccoon.jpg', 24.4381, 0.60079],
  ['red-panda.jpg', 28.3406, 0.78726],
] as const;

test('scores of bicubic are those of independent implementations', async () => {
  const { exitCode, stdout } = await fourfold(
    '.',
    'evaluate',
    '--images',
    heldOutPhotographs,
    '--method',
    'bicubic',
    '--json',
  );
  expect(exitCode).toBe(0);
  const { pictures, mean } = JSON.parse(stdout) as {
    pictures: { picture: string; psnr: number; ssim: number }[];
    mean: { psnr: number; ssim: number };
  };
  for (const [i, [picture, psnr, ssim]] of expected.entries()) {
    expect(pictures[i].picture).toBe(picture);
    expect(pictures[i].psnr).toBeCloseTo(psnr, 3);
    expect(pictures[i].ssim).toBeCloseTo(ssim, 4);
  }
  expect(mean.psnr).toBeCloseTo(24.25884, 3);
  expect(mean.ssim).toBeCloseTo(0.62572, 4);
});

test('several sets and methods in one table, as text, Markdown and CSV, with the paper beside ours', async () => {
  await inFolder(async (folder) => {
    const copy = async (set: string, name: string) => {
      await mkdir(join(folder, set), { recursive: true });
      await cp(join(heldOutPhotographs, name), join(folder, set, name));
    };
    await Promise.all([copy('Set5', 'coffee.png'), copy('mine', 'colosseum.jpg'), copy('mine', 'hedgehog.jpg')]);
    await writeSmallCheckpoint(openStore(join(folder, 'run')), 4, { channels: 4, blocks: 1 });
    const evaluate = (...more: string[]) =>
      fourfold(folder, ...['evaluate', '--images', 'Set5', '--images', 'mine', '--method', 'bicubic'], ...more);
    const [text, markdown, csv, json] = await Promise.all([
      evaluate('--method', 'lanczos'),
      evaluate('--format', 'markdown'),
      evaluate('--format', 'csv'),
      evaluate('--checkpoint', 'run', '--backend', 'wasm', '--json'),
    ]);
    expect(text.stdout).toMatch(/^Set5:\npicture +bicubic dB +SSIM +lanczos dB +SSIM\ncoffee\.png +27\.29 +0\.7648 /);
    expect(text.stdout).toMatch(
      /\nSet5 .*Ledig et al\. 2017, table 2.*\nnearest +26\.26 +0\.7552\nbicubic +27\.29 +0\.7648 +28\.43 +0\.8211\n/,
    );
    expect(text.stdout).toMatch(
      /\n\nmine:\npicture .*\ncolosseum\.jpg +22\.43 .*\nhedgehog\.jpg +19\.25 .*\nmean +20\.84 .*\n$/,
    );
    expect(markdown.stdout).toContain('### mine\n\n| picture | PSNR dB | SSIM |\n| --- | ---: | ---: |\n');
    expect(csv.stdout).toMatch(
      /^set,picture,method,psnr_db,ssim,source\nSet5,coffee\.png,bicubic,27\.29\d+,0\.76\d+,measured\n/,
    );
    expect(csv.stdout).toContain('Set5,mean,SRGAN,29.4,0.8472,"Ledig et al. 2017, table 2"\n');
    const { sets } = JSON.parse(json.stdout) as { sets: { subjects: { name: string; mean: { psnr: number } }[] }[] };
    expect(sets.map(({ subjects }) => subjects.map(({ name }) => name))).toEqual([
      ['bicubic', 'small at 4'],
      ['bicubic', 'small at 4'],
    ]);
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
