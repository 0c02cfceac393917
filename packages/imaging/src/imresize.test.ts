import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { randomStream } from '@fourfold/common';
import { contributions, kernels, type Kernel } from './contributions.js';
import { blur, downscale, resizeBy, resizeColumns, resizeRows, resizeTo } from './imresize.js';
import { cropPicture, type Picture } from './picture.js';
import { wholeWeights } from './whole-weights.js';
import { photographCorner, photographPath, readPictureFile, referencePath } from './test-pictures.js';

interface Case {
  name: string;
  photograph: string;
  region: [number, number, number, number];
  kernel: Kernel;
  scale?: number;
  size?: [number, number];
}

const cases = JSON.parse(readFileSync(referencePath('cases.json'), 'utf8')) as Case[];

const resize = (picture: Picture, { kernel, scale, size }: Case) =>
  size ? resizeTo(picture, size[0], size[1], kernel) : resizeBy(picture, Number(scale), kernel);

describe('imresize', () => {
  it.each(cases)('is within 1 grey level of the MATLAB-faithful reference, 99.9% equal: $name', async (wanted) => {
    const [left, top, width, height] = wanted.region;
    const photograph = await readPictureFile(photographPath(wanted.photograph));
    const actual = resize(cropPicture(photograph, { left, top, width, height }), wanted);
    const expected = await readPictureFile(referencePath(`${wanted.name}.png`));
    expect([actual.width, actual.height]).toEqual([expected.width, expected.height]);
    const differences = expected.data.map((value, i) => Math.abs(value - actual.data[i]));
    expect(differences.reduce((a, b) => Math.max(a, b))).toBeLessThanOrEqual(1);
    expect(differences.filter((d) => d > 0).length / differences.length).toBeLessThanOrEqual(0.001);
  });

  it.each<[number, Kernel]>([
    [1 / 4, 'cubic'],
    [1 / 2, 'cubic'],
    [4, 'cubic'],
    [4, 'nearest'],
  ])('has the bits of double precision where it computes in integers: by %d, %s', (scale, kernel) => {
    const random = randomStream('imresize', 0);
    // Narrow and high pictures, tiny ones, whose edges mirror several times, and one that is resized in several bands.
    const sides = [1, 2, 3, 5, 8, 17, 30, 61];
    const sizes = sides.flatMap((width) => sides.map((height) => [width, height]));
    if (scale < 1) sizes.push([401, 967]);
    for (const [width, height] of sizes) {
      // Half of the values are black or white, so that sums leave 0..255.
      const values = Array.from({ length: width * height * 3 }, () =>
        Math.min(255, Math.max(0, random.below(512) - 128)),
      );
      const picture = { data: Uint8Array.from(values), width, height };
      const contributionsOf = (side: number) => contributions(side, Math.ceil(side * scale), scale, kernels[kernel]);
      const expected = resizeColumns(resizeRows(picture, contributionsOf(height)), contributionsOf(width));
      expect(wholeWeights(contributionsOf(height))).toBeDefined();
      const actual = resizeBy(picture, scale, kernel);
      expect([actual.width, actual.height]).toEqual([expected.width, expected.height]);
      expect(Buffer.compare(actual.data, expected.data), `${width}x${height}`).toBe(0);
    }
  });

  it('rounds halves upwards', () => {
    // The middle of 0 and 255 is 127.5; bicubic by 1/2 at symmetric edges keeps rows of equal pixels as they are.
    const pair = { data: Uint8Array.of(0, 0, 0, 255, 255, 255), width: 2, height: 1 };
    expect([...resizeTo(pair, 1, 1, 'cubic').data]).toEqual([128, 128, 128]);
  });

  it('repeats pixels with the nearest kernel', async () => {
    const small = await photographCorner('train/chelsea.png', 13, 9);
    const large = resizeBy(small, 4, 'nearest');
    expect([large.width, large.height]).toEqual([52, 36]);
    for (let y = 0; y < 36; y++) {
      for (let x = 0; x < 52; x++) {
        const from = ((y >> 2) * 13 + (x >> 2)) * 3;
        const to = (y * 52 + x) * 3;
        expect(large.data.subarray(to, to + 3)).toEqual(small.data.subarray(from, from + 3));
      }
    }
  });
});

describe('blur', () => {
  it('spreads a point as a Gaussian cut off at two standard deviations', () => {
    const side = 15;
    const data = new Uint8Array(side * side * 3);
    data.fill(255, (7 * side + 7) * 3, (7 * side + 7) * 3 + 3);
    const weights = Array.from({ length: 5 }, (_, i) => Math.exp(-((i - 2) ** 2) / 2));
    const sum = weights.reduce((a, b) => a + b);
    const blurred = blur({ data, width: side, height: side }, 1);
    const row = Array.from({ length: side }, (_, x) => blurred.data[(7 * side + x) * 3]);
    const down = Math.floor((255 * weights[2]) / sum + 0.5);
    const expected = row.map((_, x) => Math.floor(((weights[x - 5] ?? 0) * down) / sum + 0.5));
    expect(row).toEqual(expected);
  });

  it('leaves an even picture as it is, and so does down-sampling', () => {
    const even = { data: new Uint8Array(33 * 21 * 3).fill(77), width: 33, height: 21 };
    expect(downscale(even, 1.5).data).toEqual(new Uint8Array(9 * 6 * 3).fill(77));
  });
});
