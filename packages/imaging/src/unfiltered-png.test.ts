import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { cropPicture, encodePng, type Picture } from './picture.js';
import { photographCorner, photographPath } from './test-pictures.js';
import { inflateRegion, readPlainPng, type PlainPng } from './unfiltered-png.js';

let picture: Picture;
let png: Buffer;
beforeAll(async () => {
  picture = await photographCorner('train/chelsea.png', 131, 90);
  png = await encodePng(picture);
});

/** As a `PlainPng`, which it must be. */
const plain = (bytes: Uint8Array): PlainPng => {
  const found = readPlainPng(bytes);
  if (!found) throw new Error('not a plain PNG');
  return found;
};
const raw = () => sharp(picture.data, { raw: { width: 131, height: 90, channels: 3 } });

describe('a region of an unfiltered PNG', () => {
  test.each([
    { left: 0, top: 0, width: 131, height: 90 },
    { left: 20, top: 8, width: 64, height: 40 },
    { left: 130, top: 89, width: 1, height: 1 },
    { left: 0, top: 0, width: 1, height: 1 },
  ])('has the picture’s pixels: %o', async (region) => {
    expect(await inflateRegion(plain(png), region)).toEqual(cropPicture(picture, region));
  });

  test('needs only what lies above its bottom', async () => {
    const cut = { ...plain(png), deflated: plain(png).deflated.subarray(0, plain(png).deflated.length / 2) };
    const region = { left: 0, top: 0, width: 131, height: 20 };
    expect(await inflateRegion(cut, region)).toEqual(cropPicture(picture, region));
    await expect(inflateRegion(cut, { ...region, height: 90 })).rejects.toThrow(/truncated|unexpected end/);
  });

  test('damaged pixels are an error', async () => {
    const damaged = { ...plain(png), deflated: Buffer.alloc(500, 7) };
    await expect(inflateRegion(damaged, { left: 0, top: 0, width: 8, height: 8 })).rejects.toThrow(/incorrect/);
  });

  test('filtered rows are left to other decoders', async () => {
    const filtered = plain(await readFile(photographPath('train/chelsea.png')));
    expect(await inflateRegion(filtered, { left: 0, top: 0, width: 8, height: 80 })).toBeUndefined();
  });
});

test.each<[string, () => Promise<Uint8Array> | Uint8Array]>([
  ['with a palette', () => raw().png({ palette: true }).toBuffer()],
  ['interlaced', () => raw().png({ progressive: true }).toBuffer()],
  ['with alpha', () => raw().ensureAlpha(0.5).png().toBuffer()],
  ['grey', () => raw().toColourspace('b-w').png().toBuffer()],
  ['of 16 bits', () => Buffer.from(png).fill(16, 24, 25)],
  ['that is a JPEG', () => raw().jpeg().toBuffer()],
  ['that ends in its header', () => png.subarray(0, 20)],
  ['of no bytes', () => new Uint8Array()],
])('a file %s is not taken for one', async (_, make) => {
  expect(readPlainPng(await make())).toBeUndefined();
});
