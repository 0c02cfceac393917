import { resizeBy, type Picture, type Rectangle } from '@fourfold/imaging';
import { expect, test } from 'vitest';
import { resultWithPauses } from '../pauses.js';
import { scaledOpacity, scaledRegion } from './region.js';
import { scales } from './scales.js';
import { planBands } from './tiles.js';

const [width, height] = [23, 19];
const lr: Picture = {
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * i * 7919) % 256),
  ...{ width, height },
};
/** A generator that repeats pixels: what it makes of a region does not depend on its surroundings. */
function* repeated({ data, width }: Picture, region: Rectangle): Generator<number, Picture> {
  yield region.width * region.height;
  const sr = {
    data: new Uint8Array(3 * 16 * region.width * region.height),
    width: 4 * region.width,
    height: 4 * region.height,
  };
  for (let y = 0, to = 0; y < sr.height; y++) {
    for (let x = 0; x < sr.width; x++, to += 3) {
      const from = 3 * ((region.top + (y >> 2)) * width + region.left + (x >> 2));
      sr.data.set(data.subarray(from, from + 3), to);
    }
  }
  return sr;
}

const neverAborted = new AbortController().signal;
const whole = { left: 0, top: 0, width, height };

test.each(scales)('by %d, tiles together are the whole picture made smaller by MATLAB’s bicubic', async (scale) => {
  const sr = await resultWithPauses(repeated(lr, whole), neverAborted);
  const expected = scale === 4 ? sr : resizeBy(sr, scale / 4, 'cubic');
  const alpha = lr.data.filter((_, i) => i % 3 === 0);
  const opacity = scaledOpacity({ alpha, width, height }, whole, scale);
  expect(opacity.length).toBe(scale * scale * width * height);
  for (const region of planBands(width, height, 8).flat()) {
    const tile = await resultWithPauses(scaledRegion(lr, region, scale, repeated), neverAborted);
    const tileOpacity = scaledOpacity({ alpha, width, height }, region, scale);
    expect([tile.width, tile.height]).toEqual([scale * region.width, scale * region.height]);
    for (let y = 0, at = 0; y < tile.height; y++) {
      for (let x = 0; x < tile.width; x++, at++) {
        const there = (scale * region.top + y) * expected.width + scale * region.left + x;
        expect(tile.data[3 * at]).toBe(expected.data[3 * there]);
        expect(tileOpacity[at]).toBe(opacity[there]);
      }
    }
  }
});
