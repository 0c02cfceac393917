import { expect, it } from 'vitest';
import { cutTiles, smallestTile, tileMargin } from './tiles.js';

it.each([
  [2040, 1356, 480],
  [481, 480, 480],
  [1000, 99, 480],
  [1411, 1413, 200],
  [600, 202, 200],
])('covers %ix%i once with cores of a crop to %i pixels', (width, height, tile) => {
  const tiles = cutTiles(width, height, tile);
  const covered = new Uint8Array(width * height);
  for (const { place, core } of tiles) {
    expect((place.left % 4) + (place.top % 4) + (core.left % 4) + (core.top % 4)).toBe(0);
    expect(core.width).toBeLessThan(tile + 4);
    expect(core.height).toBeLessThan(tile + 4);
    if (width > tile) expect(core.width).toBeGreaterThanOrEqual(96);
    if (height > tile) expect(core.height).toBeGreaterThanOrEqual(96);
    const [left, top] = [place.left + core.left, place.top + core.top];
    expect(core.left).toBe(Math.min(tileMargin, left));
    expect(place.left + place.width).toBe(Math.min(width, left + core.width + tileMargin));
    expect(core.top).toBe(Math.min(tileMargin, top));
    expect(place.top + place.height).toBe(Math.min(height, top + core.height + tileMargin));
    for (let y = top; y < top + core.height; y++) {
      for (let x = left; x < left + core.width; x++) covered[y * width + x]++;
    }
  }
  expect(covered.every((times) => times === 1)).toBe(true);
});

it('never cuts a side into cores narrower than the crop', () => {
  const tile = smallestTile(96);
  expect(tile).toBe(200);
  for (let side = 96; side < 3000; side++) {
    for (const { core } of cutTiles(side, 96, tile)) expect(core.width).toBeGreaterThanOrEqual(96);
  }
});
