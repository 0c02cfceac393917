import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '@fourfold/common';
import { cropPicture, cropToMultiple, decodePicture, downscale, type Picture, type Rectangle } from '@fourfold/imaging';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { upscaleBaseline, type BaselineName } from '../evaluation-table.js';
import { richestDetail } from '../report/comparison.js';
import { fourfold, heldOutPhotographs, inFolder } from '../test-support.js';
import { evaluateSets } from './evaluate-sets.js';
import { createFigure, parseCrop, type FigureOptions } from './figure.js';

/** Parts of photographs, which are measured quickly. */
const parts: Record<string, Rectangle> = {
  coffee: { left: 250, top: 150, width: 190, height: 161 },
  colosseum: { left: 100, top: 90, width: 205, height: 150 },
  raccoon: { left: 300, top: 90, width: 160, height: 160 },
};

async function writeParts(folder: string): Promise<void> {
  for (const [name, part] of Object.entries(parts)) {
    const photograph = join(heldOutPhotographs, `${name}.${name === 'coffee' ? 'png' : 'jpg'}`);
    await sharp(photograph)
      .extract(part)
      .png()
      .toFile(join(folder, `${name}.png`));
  }
}

/** The original of a part as it is measured, and the methods' versions. */
async function made(folder: string, name: string, methods: readonly BaselineName[]) {
  const original = cropToMultiple(await decodePicture(await readFile(join(folder, `${name}.png`))), 4);
  const lr = downscale(original, 0);
  return { original, upscaled: methods.map((method) => upscaleBaseline(method, lr)) };
}

const subjectOf = (name: BaselineName) => ({
  name,
  facts: {},
  upscale: (lr: Picture) => upscaleBaseline(name, lr),
});

/** Measure the parts by these methods and draw; the figure's pixels. */
async function drawn(folder: string, methods: readonly BaselineName[], options: Partial<FigureOptions> = {}) {
  const file = join(folder, 'figures', 'figure.png');
  const figure = createFigure({ file, force: true, pictures: [], ...options });
  const never = new AbortController().signal;
  await evaluateSets([folder], methods.map(subjectOf), { onProgress: () => undefined, figure }, never);
  await figure.write();
  return pixelsOf(file);
}

const pixelsOf = async (file: string): Promise<Picture> => {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
};

/** A region of the figure whose pixels are enlarged that often, back at its own size. */
function reduced(figure: Picture, { left, top, width, height }: Rectangle, enlargement: number): Picture {
  const region = { left, top, width: width * enlargement, height: height * enlargement };
  const { data } = cropPicture(figure, region);
  const out = new Uint8Array(3 * width * height);
  let uneven = 0;
  for (let y = 0; y < region.height; y++) {
    for (let x = 0; x < region.width; x++) {
      const from = 3 * (y * region.width + x);
      const to = 3 * (Math.floor(y / enlargement) * width + Math.floor(x / enlargement));
      if (y % enlargement === 0 && x % enlargement === 0) out.set(data.subarray(from, from + 3), to);
      else if (data[from] !== out[to] || data[from + 1] !== out[to + 1] || data[from + 2] !== out[to + 2]) uneven++;
    }
  }
  expect(uneven).toBe(0);
  return { data: out, width, height };
}

/** Where the cells of a figure lie: 10 pixels between them, 40 for the titles, 54 below each row. */
const cell = (row: number, column: number, width: number, height: number, enlargement: number): Rectangle => ({
  left: 10 + column * (width * enlargement + 10),
  top: 40 + row * (height * enlargement + 54),
  width,
  height,
});

const isInk = (data: Uint8Array, i: number) => data[i] < 90 && data[i + 1] < 90 && data[i + 2] < 90;
const countInk = ({ data }: Picture) => data.reduce((sum, _, i) => sum + (i % 3 === 0 && isInk(data, i) ? 1 : 0), 0);

test('one row per picture: the crop as each method made it, pixel for pixel, and the original', async () => {
  await inFolder(async (folder) => {
    await writeParts(folder);
    const crop = { left: 24, top: 33, width: 96, height: 72 };
    const methods = ['nearest', 'bicubic', 'lanczos'] as const;
    const figure = await drawn(folder, methods, { crop, pictures: ['raccoon', 'coffee.png'] });
    expect([figure.width, figure.height]).toEqual([5 * 298 + 10, 40 + 2 * (216 + 54) + 10]);
    for (const [row, name] of ['coffee', 'raccoon'].entries()) {
      const { original, upscaled } = await made(folder, name, methods);
      for (const [i, picture] of [...upscaled, original].entries()) {
        const place = cell(row, i + 1, 96, 72, 3);
        expect(reduced(figure, place, 3), `${name}, column ${i}`).toEqual(cropPicture(picture, crop));
        const caption = { left: place.left, top: place.top + 217, width: 288, height: 50 };
        const ink = countInk(cropPicture(figure, caption));
        if (picture === original) expect(ink).toBe(0);
        else expect(ink).toBeGreaterThan(100);
      }
    }
    const title = cropPicture(figure, { left: 308, top: 0, width: 288, height: 40 });
    expect(countInk(title)).toBeGreaterThan(100);
  });
});

test('the default crop is where the methods differ most; the overview marks it', async () => {
  await inFolder(async (folder) => {
    await writeParts(folder);
    const figure = await drawn(folder, ['bicubic', 'lanczos']);
    expect([figure.width, figure.height]).toEqual([4 * 298 + 10, 40 + 3 * (288 + 54) + 10]);
    for (const [row, name] of ['coffee', 'colosseum', 'raccoon'].entries()) {
      const { original, upscaled } = await made(folder, name, ['bicubic', 'lanczos']);
      const shown = richestDetail(upscaled);
      expect(shown).not.toEqual({ left: 0, top: 0, width: 96, height: 96 });
      expect(reduced(figure, cell(row, 3, 96, 96, 3), 3)).toEqual(cropPicture(original, shown));
      // The frame's left edge, in the middle of its height.
      const scale = 288 / Math.max(original.width, original.height);
      const x = Math.round(10 + (288 - original.width * scale) / 2 + shown.left * scale);
      const y = Math.round(
        40 + row * 342 + (288 - original.height * scale) / 2 + (shown.top + shown.height / 2) * scale,
      );
      const { data } = cropPicture(figure, { left: x - 1, top: y, width: 3, height: 1 });
      const yellow = [0, 3, 6].some((i) => data[i] > 240 && Math.abs(data[i + 1] - 212) < 15 && data[i + 2] < 30);
      expect(yellow, `frame of ${name} at ${x}, ${y}`).toBe(true);
    }
  });
});

test('damaged pictures take no row of a figure; one of damaged pictures only is refused', async () => {
  await inFolder(async (folder) => {
    await writeParts(folder);
    for (let i = 0; i < 6; i++) await writeFile(join(folder, `a${i}.png`), 'no picture at all');
    const { height } = await drawn(folder, ['bicubic']);
    expect(height).toBe(40 + 3 * (288 + 54) + 10);
    await expect(drawn(folder, ['bicubic'], { pictures: ['a0', 'a1'] })).rejects.toMatchObject({
      code: 'invalid',
      message: `${join(folder, 'figures', 'figure.png')}: no picture of the figure could be measured`,
    });
  });
});

test('the detail of several pictures is where any two differ, the first of equal ones', () => {
  const flat = () => ({ data: new Uint8Array(3 * 300 * 200).fill(100), width: 300, height: 200 });
  const pictures = [flat(), flat(), flat()];
  expect(richestDetail(pictures)).toEqual({ left: 0, top: 0, width: 96, height: 96 });
  for (let y = 150; y < 160; y++) pictures[2].data.fill(120, 3 * (y * 300 + 211), 3 * (y * 300 + 221));
  expect(richestDetail(pictures)).toEqual({ left: 128, top: 64, width: 96, height: 96 });
});

test('names that are not measured, crops outside a picture, malformed crops: one line', async () => {
  await inFolder(async (folder) => {
    await writeParts(folder);
    const refusal = (options: Partial<FigureOptions>) =>
      drawn(folder, ['bicubic'], options).then(() => 'nothing', describeError);
    expect(await refusal({ pictures: ['lena'] })).toBe(
      '--figure-pictures is lena: no picture of this name is measured; there are coffee.png, colosseum.png, raccoon.png',
    );
    expect(await refusal({ crop: { left: 100, top: 0, width: 96, height: 96 } })).toMatch(
      /^--crop is 100,0,96,96: it must be within .*coffee\.png; it has 188x160 pixels$/,
    );
    for (const text of ['1,2,3', '0,0,0,10', '-1,0,10,10', '0,0,1001,10', '0,0,10,10,']) {
      expect(() => parseCrop(text)).toThrow(`--crop is ${text}: it must be x,y,width,height`);
    }
    expect(parseCrop('120,40,96,64')).toEqual({ left: 120, top: 40, width: 96, height: 64 });
  });
});

test('fourfold evaluate --figure writes it beside the scores', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'photos'));
    await writeParts(join(folder, 'photos'));
    const evaluate = (...args: string[]) =>
      fourfold(folder, 'evaluate', '--images', 'photos', '--method', 'bicubic', ...args);
    const [drawn, alone, outside] = await Promise.all([
      evaluate('--figure', 'out/figure.png', '--figure-pictures', 'colosseum', '--crop', '10,20,144,96', '--json'),
      evaluate('--crop', '0,0,96,96'),
      evaluate('--figure', 'out/outside.png', '--crop', '100,0,96,96'),
    ]);
    // The scores are printed all the same.
    expect(outside).toMatchObject({ exitCode: 2, stdout: expect.stringMatching(/colosseum.*\d\d\.\d\d/) as string });
    expect(outside.stderr).toContain('--crop is 100,0,96,96: it must be within');
    expect(drawn.exitCode).toBe(0);
    expect(JSON.parse(drawn.stdout)).toMatchObject({ method: 'bicubic', pictures: { length: 3 }, images: 'photos' });
    const { width, height } = await pixelsOf(join(folder, 'out', 'figure.png'));
    expect([width, height]).toEqual([3 * 298 + 10, 40 + 192 + 54 + 10]);
    expect((await stat(join(folder, 'out', 'figure.png'))).size).toBeGreaterThan(10_000);
    expect(alone).toMatchObject({ exitCode: 2, stdout: '' });
    expect(alone.stderr).toMatch(/^fourfold: evaluate: --crop without a figure; give --figure FILE\.png\n$/);
  });
});

test('a figure does not overwrite a measured picture, nor any other file without --force', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'photos'));
    await writeParts(join(folder, 'photos'));
    await writeFile(join(folder, 'old.png'), 'mine');
    const evaluate = (...args: string[]) =>
      fourfold(folder, 'evaluate', '--images', 'photos', '--method', 'bicubic', '--figure', ...args);
    const photograph = join('photos', (await readdir(join(folder, 'photos')))[0]);
    const before = await readFile(join(folder, photograph));
    const fresh = join('photos', 'figures', 'new.png');
    const [measured, forced, old, beside] = await Promise.all([
      evaluate(photograph),
      evaluate(photograph, '--force'),
      evaluate('old.png'),
      evaluate(fresh),
    ]);
    for (const refused of [measured, forced]) {
      const stderr = `fourfold: ${photograph} is in photos, which is read; name another file\n`;
      expect(refused).toEqual({ exitCode: 2, stdout: '', stderr });
    }
    // The next run would measure it.
    const stderr = `fourfold: ${fresh} would be in photos, which is read; name another file\n`;
    expect(beside).toEqual({ exitCode: 2, stdout: '', stderr });
    expect(await readFile(join(folder, photograph))).toEqual(before);
    const hint = 'name another file, or give --force to overwrite it';
    expect(old).toEqual({ exitCode: 2, stdout: '', stderr: `fourfold: old.png already exists; ${hint}\n` });
    expect(await readFile(join(folder, 'old.png'), 'utf8')).toBe('mine');
    expect(await evaluate('old.png', '--force')).toMatchObject({ exitCode: 0 });
    expect((await pixelsOf(join(folder, 'old.png'))).width).toBeGreaterThan(100);
  });
});
