import { expect, test } from 'vitest';
import { bleedColours } from './bleed.js';

const layer = (width: number, height: number, colourAt: (x: number, y: number) => [number, number, number, number]) => {
  const pixels = Array.from({ length: width * height }, (_, i) => colourAt(i % width, Math.floor(i / width)));
  return {
    rgb: Uint8Array.from(pixels.flatMap(([red, green, blue]) => [red, green, blue])),
    alpha: Uint8Array.from(pixels, ([, , , opacity]) => opacity),
    ...{ width, height },
  };
};

test('transparent pixels take the colours of visible ones nearby, to the farthest corner; visible ones stay', () => {
  // Red at the left, faint green at the right, 40 columns of black that nobody sees in between; 9 rows, an odd number.
  const picture = layer(47, 9, (x) => (x < 3 ? [200, 0, 0, 255] : x > 44 ? [0, 90, 0, 1] : [0, 0, 7, 0]));
  const before = picture.rgb.slice();
  bleedColours(picture);
  const at = (x: number, y: number) => [...picture.rgb.subarray(3 * (47 * y + x), 3 * (47 * y + x) + 3)];
  for (let y = 0; y < 9; y++) {
    for (const x of [0, 1, 2, 45, 46])
      expect(at(x, y)).toEqual([...before.subarray(3 * (47 * y + x), 3 * (47 * y + x) + 3)]);
    expect(at(3, y)[0]).toBeGreaterThan(190);
    expect(at(44, y)[1]).toBeGreaterThan(80);
    for (let x = 3; x < 45; x++) expect(at(x, y)[2]).toBe(0);
  }
});

test('a fully transparent or fully visible picture stays as it is', () => {
  for (const opacity of [0, 255]) {
    const picture = layer(5, 3, (x, y) => [x, y, 9, opacity]);
    const before = picture.rgb.slice();
    bleedColours(picture);
    expect(picture.rgb).toEqual(before);
  }
});
