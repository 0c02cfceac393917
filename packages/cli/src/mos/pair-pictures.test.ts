import { expect, test } from 'vitest';
import { pairPictures } from './pair-pictures.js';

const pair = (originals: string[], versions: string[]) => [...pairPictures(originals, versions, 'out/esrgan')];

test('a version is found by its path, whatever its extension', () => {
  const versions = ['Set14/img_001.jpg', 'Set5/img_001.jpg', 'Urban100/img_001.jpg'];
  expect(pair(['Set14/img_001.png', 'Set5/img_001.png'], versions)).toEqual([
    ['Set14/img_001.png', 'Set14/img_001.jpg'],
    ['Set5/img_001.png', 'Set5/img_001.jpg'],
  ]);
  expect(pair(['img_001.png', 'Set5/img_001.png'], ['Set5/img_001.png', 'img_001.png'])).toEqual([
    ['img_001.png', 'img_001.png'],
    ['Set5/img_001.png', 'Set5/img_001.png'],
  ]);
});

test('otherwise by its name, if that is unique', () => {
  expect(pair(['Set5/baby.png', 'Set5/v1.0.png'], ['v1.0.webp', 'baby.png'])).toEqual([
    ['Set5/baby.png', 'baby.png'],
    ['Set5/v1.0.png', 'v1.0.webp'],
  ]);
});

const hint = expect.stringContaining("their originals' paths") as string;

test.each([
  [['Set14/a.png', 'Set5/a.png'], ['a.png'], 'Set14/a.png: a.png in out/esrgan could be of Set14/a.png or Set5/a.png'],
  [['Set14/a.png', 'Set5/a.png'], ['Set14/a.png'], 'Set5/a.png: Set14/a.png in out/esrgan could be of Set14/a.png or'],
  [['a.png'], ['x/a.png', 'y/a.png', 'z/a.png'], 'a.png: x/a.png or y/a.png in out/esrgan could be of a.png'],
  [['a.png'], ['a.jpg', 'a.png'], 'a.png: a.jpg or a.png in out/esrgan could be of a.png'],
  [['a.jpg', 'a.png'], ['a.png'], 'a.jpg: a.png in out/esrgan could be of a.jpg or a.png'],
])('%j with %j is refused: raters would see a wrong picture', (originals, versions, message) => {
  const refusal = { code: 'invalid', message: expect.stringContaining(message) as string, options: { hint } };
  expect(() => pair(originals, versions)).toThrow(expect.objectContaining(refusal) as Error);
});

test('an original without a version is named', () => {
  expect(() => pair(['a.png', 'b.png'], ['a.png'])).toThrow('out/esrgan has no version of b.png');
});
