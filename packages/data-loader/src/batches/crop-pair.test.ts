import { describe, expect, it } from 'vitest';
import { cropPlace, cutPair, readMargin, type CropPlace } from './crop-pair.js';
import { downscale, cropPicture, type Picture, cutTiles } from '@fourfold/imaging';
import { dataConfig, photographCorner } from '../test-pictures.js';

/** The pair as pictures. */
function cropPair(picture: Picture, place: CropPlace, crop: number, blurSigma: number) {
  const square = (side: number) => ({ data: new Uint8Array(side * side * 3), width: side, height: side });
  const pair = { hr: square(crop), lr: square(crop / 4) };
  cutPair(picture, place, { crop, blurSigma }, { hr: pair.hr.data, lr: pair.lr.data });
  return pair;
}

const upright = { flip: false, quarterTurns: 0 };

/** The first, the last and some offsets between that are multiples of 4 and leave room for a crop. */
const offsets = (start: number, side: number, crop: number) => {
  const steps = Math.floor((side - crop) / 4);
  return [...new Set([0, 1, 2, steps >> 1, steps - 1, steps])].filter((n) => n >= 0).map((n) => start + 4 * n);
};

const expectExact = (
  whole: Picture,
  wholeLr: Picture,
  stored: Picture,
  origin: CropPlace,
  place: CropPlace,
  sigma: number,
) => {
  const crop = 32;
  const pair = cropPair(stored, place, crop, sigma);
  const [left, top] = [origin.left + place.left, origin.top + place.top];
  const hr = cropPicture(whole, { left, top, width: crop, height: crop });
  const lr = cropPicture(wholeLr, { left: left / 4, top: top / 4, width: crop / 4, height: crop / 4 });
  expect(Buffer.compare(pair.hr.data, hr.data)).toBe(0);
  expect(Buffer.compare(pair.lr.data, lr.data)).toBe(0);
};

describe('training pairs', () => {
  it.each([
    [128, 96, 0],
    [131, 98, 0],
    [129, 99, 1],
    [130, 97, 3],
  ])('are cut from a whole picture of %ix%i (blur %d) as from its LR, bit for bit', async (width, height, sigma) => {
    const whole = await photographCorner('train/chelsea.png', width, height);
    const lr = downscale(whole, sigma);
    for (const left of offsets(0, width, 32)) {
      for (const top of offsets(0, height, 32)) {
        expectExact(whole, lr, whole, { left: 0, top: 0, ...upright }, { left, top, ...upright }, sigma);
      }
    }
  });

  it.each([
    [400, 300, 0],
    [403, 297, 0],
    [401, 298, 1],
  ])(
    'are cut from the tiles of a picture of %ix%i (blur %d) as from its LR, bit for bit',
    async (width, height, sigma) => {
      const whole = await photographCorner('held-out/coffee.png', width, height);
      const lr = downscale(whole, sigma);
      const tiles = cutTiles(width, height, 120);
      expect(tiles.length).toBe(12);
      for (const { place, core } of tiles) {
        const stored = cropPicture(whole, place);
        const origin = { left: place.left, top: place.top, ...upright };
        for (const left of offsets(core.left, core.width, 32)) {
          for (const top of offsets(core.top, core.height, 32)) {
            expectExact(whole, lr, stored, origin, { left, top, ...upright }, sigma);
          }
        }
      }
    },
  );

  it('are turned alike, in all eight orientations', async () => {
    const whole = await photographCorner('train/chelsea.png', 120, 120);
    const plain = cropPair(whole, { left: 8, top: 4, ...upright }, 32, 0);
    const seen = new Set<string>();
    for (const flip of [false, true]) {
      for (const quarterTurns of [0, 1, 2, 3]) {
        const turned = cropPair(whole, { left: 8, top: 4, flip, quarterTurns }, 32, 0);
        for (const name of ['hr', 'lr'] as const) {
          let expected = flip ? mirror(plain[name]) : plain[name];
          for (let i = 0; i < quarterTurns; i++) expected = turnClockwise(expected);
          expect(turned[name]).toEqual(expected);
        }
        seen.add(Buffer.from(turned.hr.data).toString('base64'));
      }
    }
    expect(seen.size).toBe(8);
  });
});

describe('crop places', () => {
  const core = { left: 8, top: 0, width: 110, height: 101 };

  it('lie in the core at multiples of 4 and reach all of them', () => {
    const seen = new Set<string>();
    for (let epoch = 0; epoch < 400; epoch++) {
      const place = cropPlace(1, { epoch, shard: 0, sample: 0, repeat: 0 }, core, dataConfig({}));
      expect(place).toMatchObject(upright);
      seen.add(`${place.left},${place.top}`);
    }
    const reachable = [8, 12, 16, 20].flatMap((left) => [0, 4].map((top) => `${left},${top}`));
    expect([...seen].sort()).toEqual(reachable.filter((place) => !place.startsWith('24')).sort());
  });

  it('are a pure function of seed and key, and flip and turn only where asked', () => {
    const data = dataConfig({ flips: true, quarterTurns: true });
    const keys = Array.from({ length: 200 }, (_, repeat) => ({ epoch: 3, shard: 1, sample: 7, repeat }));
    const places = keys.map((key) => cropPlace(5, key, core, data));
    expect(keys.map((key) => cropPlace(5, key, core, data))).toEqual(places);
    expect(keys.map((key) => cropPlace(6, key, core, data))).not.toEqual(places);
    expect(new Set(places.map(({ flip, quarterTurns }) => `${flip}${quarterTurns}`)).size).toBe(8);
  });
});

it('reads 8 pixels around a crop, and more for a wide blur', () => {
  expect([0, 1, 1.1, 3].map(readMargin)).toEqual([8, 8, 12, 12]);
});

function mirror({ data, width, height }: Picture): Picture {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < width * height; i++) {
    const from = i - (i % width) + (width - 1 - (i % width));
    out.set(data.subarray(from * 3, from * 3 + 3), i * 3);
  }
  return { data: out, width, height };
}

/** The left column, read upwards, becomes the top row. */
function turnClockwise({ data, width: side }: Picture): Picture {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = ((side - 1 - x) * side + y) * 3;
      out.set(data.subarray(from, from + 3), (y * side + x) * 3);
    }
  }
  return { data: out, width: side, height: side };
}
