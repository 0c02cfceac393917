import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { link, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeError } from '@fourfold/common';
import { openStore, openCheckpoint, readGenerator } from '@fourfold/store';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cropPicture, resizeBy, type Picture, type Rectangle } from '@fourfold/imaging';
import { fourfold, heldOutPhotographs, writeSmallCheckpoint } from '../test-support.js';
import { createUpscaler, startBackend, type Upscaler } from './generator.js';
import { writtenFormat } from './encoding.js';
import { fileOutput } from './picture-places.js';
import { defaultTile } from './tiles.js';
import { readSourcePicture } from './source-picture.js';
import { upscaleFile, type UpscaleFileOptions, type UpscaleReport } from './upscale-file.js';
import { sayDamaged } from '../damaged.js';

let folder: string;
let upscaler: Upscaler;
const width = 60;
const height = 44;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-upscale-'));
  const run = openStore(folder).at('runs/small');
  await writeSmallCheckpoint(run, 4, { channels: 4, blocks: 2 });
  await startBackend('wasm');
  upscaler = createUpscaler(await readGenerator(await openCheckpoint(run.url, sayDamaged)), 'reflection');
});
afterAll(() => rm(folder, { recursive: true }));

const photograph = () => sharp(join(heldOutPhotographs, 'coffee.png')).resize(width, height, { fit: 'fill' });

/** Upscale a file of the folder in this process. */
const upscale = async (
  input: string,
  output: string,
  tile = defaultTile,
  { force = true, ...changes }: Partial<UpscaleFileOptions> & { force?: boolean } = {},
): Promise<UpscaleReport> =>
  upscaleFile({
    name: input,
    source: await readSourcePicture(await readFile(join(folder, input))),
    output: fileOutput(join(folder, output), writtenFormat(output), force),
    scale: 4,
    tile,
    upscale: upscaler.regionSteps,
    onProgress: () => undefined,
    signal: new AbortController().signal,
    ...changes,
  });

/** Bicubic in place of a generator. */
function* cubic(lr: Picture, { left, top, width, height }: Rectangle): Generator<number, Picture> {
  yield width * height;
  return cropPicture(resizeBy(lr, 4, 'cubic'), { left: 4 * left, top: 4 * top, width: 4 * width, height: 4 * height });
}

/** The real binary on files of the folder. */
const fourfoldUpscale = (input: string, output: string, ...options: string[]) =>
  fourfold(folder, 'upscale', input, output, '--checkpoint', 'runs/small', ...options);

async function pixels(file: string) {
  const { data, info } = await sharp(join(folder, file), { ignoreIcc: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, ...info };
}

test('four times the size, and tiles show no seam', async () => {
  await photograph().toFile(join(folder, 'photograph.png'));
  const [tiled, whole] = await Promise.all([
    fourfoldUpscale('photograph.png', 'tiled.png', '--tile', '16'),
    fourfoldUpscale('photograph.png', 'whole.png'),
  ]);
  expect([tiled.exitCode, whole.exitCode]).toEqual([0, 0]);
  const a = await pixels('tiled.png');
  const b = await pixels('whole.png');
  expect([a.width, a.height, a.channels]).toEqual([4 * width, 4 * height, 3]);
  expect(a.data.length).toBe(b.data.length);
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) largest = Math.max(largest, Math.abs(a.data[i] - b.data[i]));
  expect(largest).toBeLessThanOrEqual(1);
  expect(new Set(b.data).size).toBeGreaterThan(20);
});

test.each(['jpg', 'png', 'webp', 'tiff'])('a .%s keeps ICC profile and EXIF orientation', async (extension) => {
  await photograph()
    .withIccProfile('p3')
    .withExif({ IFD0: { Copyright: 'somebody' } })
    .withMetadata({ orientation: 6 })
    .toFile(join(folder, 'turned.jpg'));
  const before = await sharp(join(folder, 'turned.jpg')).metadata();
  const output = `turned-up.${extension}`;
  expect((await upscale('turned.jpg', output)).losses).toEqual([]);
  const after = await sharp(join(folder, output)).metadata();
  expect(after).toMatchObject({ width: 4 * width, height: 4 * height, orientation: 6 });
  expect(after.icc).toEqual(before.icc);
  if (extension !== 'tiff') expect(after.exif?.includes('somebody')).toBe(true);
});

test('a profile is attached, not applied: the pixels are those without it', async () => {
  const plain = await photograph().raw().toBuffer();
  const raw = { width, height, channels: 3 as const };
  await sharp(plain, { raw }).png().toFile(join(folder, 'plain.png'));
  await sharp(join(folder, 'plain.png')).withIccProfile('p3').png().toFile(join(folder, 'p3-converted.png'));
  // The same pixels under another profile: the converted file's profile, taken over by a copy of its own pixels.
  const converted = await pixels('p3-converted.png');
  await sharp(converted.data, { raw }).png().toFile(join(folder, 'same-pixels.png'));
  await upscale('p3-converted.png', 'with-profile.png');
  await upscale('same-pixels.png', 'without-profile.png');
  expect((await pixels('with-profile.png')).data.equals((await pixels('without-profile.png')).data)).toBe(true);
});

test('opacity is kept, upscaled smoothly; a JPEG is put on white and says so', async () => {
  const alpha = Buffer.from(Uint8Array.from({ length: width * height }, (_, i) => (i % width < width / 2 ? 0 : 255)));
  await photograph()
    .joinChannel(alpha, { raw: { width, height, channels: 1 } })
    .png()
    .toFile(join(folder, 'half.png'));
  expect((await upscale('half.png', 'half-up.png', 16)).losses).toEqual([]);
  const { data, channels } = await pixels('half-up.png');
  expect(channels).toBe(4);
  const opacity = (x: number, y: number) => data[4 * (y * 4 * width + x) + 3];
  for (const y of [0, 63, 64, 4 * height - 1]) {
    expect([opacity(0, y), opacity(2 * width - 12, y), opacity(2 * width + 12, y), opacity(4 * width - 1, y)]).toEqual([
      0, 0, 255, 255,
    ]);
    const [before, after] = [opacity(2 * width - 1, y), opacity(2 * width, y)];
    expect(before).toBeGreaterThan(60);
    expect(after).toBeLessThan(195);
    expect(before).toBeLessThan(after);
  }

  const flat = await fourfoldUpscale('half.png', 'half-up.jpg');
  expect(flat).toMatchObject({ exitCode: 0 });
  expect(flat.stderr).toBe('fourfold: half.png: JPEG has no transparency; it is put on white\n');
  expect((await pixels('half-up.jpg')).data[0]).toBeGreaterThan(250);
});

test('grey stays grey; 16 bit and CMYK are converted and reported', async () => {
  await photograph().toColourspace('b-w').png().toFile(join(folder, 'grey.png'));
  await photograph().toColourspace('rgb16').png().toFile(join(folder, 'deep.png'));
  await photograph().toColourspace('cmyk').jpeg().toFile(join(folder, 'cmyk.jpg'));
  expect((await upscale('grey.png', 'grey-up.png')).losses).toEqual([]);
  expect((await sharp(join(folder, 'grey-up.png')).metadata()).space).toBe('b-w');
  expect((await upscale('deep.png', 'deep-up.png')).losses).toEqual([
    'its samples have more than 8 bits; the result has 8',
  ]);
  expect((await upscale('cmyk.jpg', 'cmyk-up.png')).losses).toEqual(['it is CMYK; the result is sRGB']);
  await photograph().png().toFile(join(folder, 'eight.png'));
  await upscale('eight.png', 'eight-up.png');
  const [deep, eight] = [await pixels('deep-up.png'), await pixels('eight-up.png')];
  expect(deep.data.equals(eight.data)).toBe(true);
});

test('a white disc on transparent black stays white wherever it is visible', async () => {
  const disc = sharp(
    Buffer.from(
      Array.from({ length: width * height }, (_, i) => {
        const isInside = Math.hypot((i % width) - width / 2, Math.floor(i / width) - height / 2) < 14;
        return isInside ? [255, 255, 255, 255] : [0, 0, 0, 0];
      }).flat(),
    ),
    { raw: { width, height, channels: 4 } },
  );
  await disc.png().toFile(join(folder, 'disc.png'));
  const darkest: number[] = [];
  // In tiles, too: one of them sees nothing but transparency.
  for (const tile of [defaultTile, 16]) {
    await upscale('disc.png', 'disc-up.png', tile, { upscale: cubic });
    const { data, channels } = await pixels('disc-up.png');
    expect(channels).toBe(4);
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 0) darkest.push(data[at], data[at + 1], data[at + 2]);
    }
  }
  expect(Math.min(...new Set(darkest))).toBe(255);
});

test('an AVIF that begins as HEIC files do is read', async () => {
  const bytes = await photograph().avif().toBuffer();
  bytes.write('mif1', 8);
  await writeFile(join(folder, 'mif1.avif'), bytes);
  expect((await upscale('mif1.avif', 'mif1.png')).from).toEqual({ width, height });
});

test('impossible requests are refused in one line, and nothing is left behind', async () => {
  await writeFile(join(folder, 'note.png'), 'no picture at all');
  await photograph().toFile(join(folder, 'good.png'));
  await writeFile(join(folder, 'empty.png'), '');
  await writeFile(join(folder, 'scan.jpg'), 'BM and so on');
  await link(join(folder, 'good.png'), join(folder, 'link.png'));
  await writeFile(join(folder, 'mine.png'), 'mine');
  const refusals: [input: string, output: string, message: RegExp][] = [
    ['nowhere.png', 'x.png', /^fourfold: nowhere\.png does not exist\n$/],
    ['note.png', 'x.png', /^fourfold: note\.png: its format is not one of JPEG, .* and GIF\n$/],
    ['empty.png', 'x.png', /^fourfold: empty\.png: it is empty: 0 bytes\n$/],
    [
      'scan.jpg',
      'x.png',
      /^fourfold: scan\.jpg: it is BMP, which is not supported: convert it to JPEG or PNG first\n$/,
    ],
    ['good.png', 'nowhere/x.png', /^fourfold: nowhere\/x\.png: folder nowhere does not exist\n$/],
    ['good.png', 'x.bmp', /^fourfold: x\.bmp: cannot write \.bmp; end its name in \.jpg, .*, or give --format\n$/],
    ['good.png', './good.png', /^fourfold: \.\/good\.png is the input; name another file\n$/],
    ['good.png', 'link.png', /^fourfold: link\.png is good\.png, which is read; name another file\n$/],
    [
      'good.png',
      'mine.png',
      /^fourfold: mine\.png already exists; name another file, or give --force to overwrite it\n$/,
    ],
  ];
  const outcomes = await Promise.all(refusals.map(([input, output]) => fourfoldUpscale(input, output)));
  for (const [i, { exitCode, stdout, stderr }] of outcomes.entries()) {
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(refusals[i][2]);
  }
  expect((await readdir(folder)).filter((name) => /^x|partial/.test(name))).toEqual([]);
  expect(await readFile(join(folder, 'mine.png'), 'utf8')).toBe('mine');
  const forced = await fourfoldUpscale('good.png', 'mine.png', '--force');
  expect(forced).toMatchObject({ exitCode: 0, stderr: '' });
  expect((await sharp(join(folder, 'mine.png')).metadata()).format).toBe('png');
  await rm(join(folder, 'mine.png'));
});

test('a file that appears while a picture is upscaled is not overwritten, nor is a checkpoint’s name taken', async () => {
  await photograph().toFile(join(folder, 'good.png'));
  const onProgress = () => void writeFileSync(join(folder, 'z.png'), 'mine');
  await expect(upscale('good.png', 'z.png', 32, { force: false, onProgress })).rejects.toMatchObject({
    code: 'invalid',
    message: `${join(folder, 'z.png')} already exists`,
  });
  expect(await readFile(join(folder, 'z.png'), 'utf8')).toBe('mine');
  expect((await readdir(folder)).filter((name) => /partial/.test(name))).toEqual([]);
  const { exitCode, stderr } = await fourfoldUpscale('good.png', 'runs/small/best');
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: 'fourfold: runs/small/best would be in runs/small, which is read; name another file\n',
  });
});

test('a failing backend is not reported as a write error, a full disk is; neither leaves anything', async () => {
  await photograph().toFile(join(folder, 'good.png'));
  const outOfMemory = () => {
    throw new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded');
  };
  const failure = await upscale('good.png', 'y.png', 32, { upscale: outOfMemory }).catch(describeError);
  expect(failure).toMatch(/good\.png: a tile of \d+x\d+ pixels could not be upscaled: .*grow.*; .* a smaller --tile$/);

  const command = fileURLToPath(new URL('../../bin/fourfold.js', import.meta.url));
  const args = [command, 'upscale', 'good.png', 'y.png', '--checkpoint', 'runs/small', '--backend', 'wasm'];
  const limited = await promisify(execFile)('bash', ['-c', 'ulimit -f 1; exec "$@"', '-', process.execPath, ...args], {
    cwd: folder,
  }).catch((error: { stderr: string }) => error);
  expect(limited.stderr).toMatch(/^fourfold: y\.png could not be written: the disk is full.*; free some space\n$/);
  expect((await readdir(folder)).filter((name) => /^y|partial/.test(name))).toEqual([]);
});

describe('the trained generator of the examples', () => {
  const trained = fileURLToPath(new URL('../../../../examples/srresnet-mse/checkpoint', import.meta.url));
  let generator: Upscaler;
  beforeAll(async () => {
    const weights = await readGenerator(await openCheckpoint(trained, sayDamaged));
    expect(weights.config).toEqual({ channels: 64, blocks: 16 });
    generator = createUpscaler(weights, 'reflection');
  });
  afterAll(() => generator.dispose());

  test('its tiles equal the whole photograph, though it sees farther than their margin', async () => {
    const size = { width: 192, height: 64 };
    const data = await sharp(join(heldOutPhotographs, 'colosseum.jpg'))
      .extract({ left: 220, top: 190, ...size })
      .raw()
      .toBuffer();
    const { data: whole } = await generator.upscale({ data, ...size }, 192);
    const { data: tiled } = await generator.upscale({ data, ...size }, 64);
    expect(new Set(whole).size).toBeGreaterThan(100);
    const largest = whole.reduce((most, level, i) => Math.max(most, Math.abs(level - tiled[i])), 0);
    expect(largest).toBeLessThanOrEqual(1);
  });

  test.each([1, 2, 48])('a flat picture of %d pixels a side keeps its colour, to the edges', async (side) => {
    const colour = [51, 102, 153];
    const data = Uint8Array.from({ length: 3 * side * side }, (_, i) => colour[i % 3]);
    const sr = await generator.upscale({ data, width: side, height: side }, defaultTile);
    expect([sr.width, sr.height]).toEqual([4 * side, 4 * side]);
    const largest = sr.data.reduce((most, level, i) => Math.max(most, Math.abs(level - colour[i % 3])), 0);
    expect(largest).toBeLessThanOrEqual(2);
  });
});
