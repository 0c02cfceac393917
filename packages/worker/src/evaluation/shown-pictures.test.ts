import { downscale, resizeBy, type Picture } from '@fourfold/imaging';
import { expect, test } from 'vitest';
import { shownPicture } from './shown-pictures.js';

/** A picture whose pixels say where they are: x / 4, y / 4, and `blue`. */
function gradient(width: number, height: number, blue: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.set([(i % width) >> 2, Math.floor(i / width) >> 2, blue], i * 3);
  return { data, width, height };
}

test('a large picture is shown in its middle, all views of the same region', () => {
  const hr = gradient(640, 520, 1);
  const sr = gradient(640, 520, 2);
  const { sr: shownSr, references } = shownPicture({ lr: downscale(hr, 0), hr, sr }, true);
  expect([shownSr.width, shownSr.height]).toEqual([512, 512]);
  expect([...shownSr.data.subarray(0, 3)]).toEqual([64 >> 2, 4 >> 2, 2]);
  expect([...(references?.original.data.subarray(-3) ?? [])]).toEqual([575 >> 2, 515 >> 2, 1]);
  expect(references?.bicubic).toMatchObject({ width: 512, height: 512 });
});

test('a small picture is shown whole, and references only where they are asked for', () => {
  const hr = gradient(40, 24, 1);
  const lr = downscale(hr, 0);
  expect(shownPicture({ lr, hr, sr: hr }, true).references).toEqual({
    original: hr,
    bicubic: resizeBy(lr, 4, 'cubic'),
  });
  expect(shownPicture({ lr, hr, sr: hr }, false)).toEqual({ sr: hr });
});
