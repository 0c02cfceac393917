import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fourfold, heldOutPhotographs, inFolder } from './test-support.js';

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
