import { expect, test } from 'vitest';
import { cutReflected, squares, surroundings } from './surroundings.js';

const rowOf = (levels: number[]) => Uint8Array.from(levels.flatMap((level) => [level, level, level]));

test('pixels beyond the edges are reflected, the one at the edge first, as often as needed', () => {
  const picture = { data: rowOf([1, 2, 3]), width: 3, height: 1 };
  const cut = (left: number, width: number) => cutReflected(picture, { left, top: 0, width, height: 1 });
  expect(cut(-4, 11)).toEqual(rowOf([3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1]));
  expect(cut(1, 2)).toEqual(rowOf([2, 3]));
  const column = { data: rowOf([1, 2]), width: 1, height: 2 };
  expect(cutReflected(column, { left: 0, top: -2, width: 1, height: 6 })).toEqual(rowOf([2, 1, 1, 2, 2, 1]));
});

test('a region is seen with its margin: within the picture, or a little beyond where it is reflected', () => {
  const picture = { data: new Uint8Array(3 * 100 * 50), width: 100, height: 50 };
  const region = { left: 0, top: 20, width: 40, height: 30 };
  expect(surroundings(picture, region, 24, 'zeros')).toEqual({ left: 0, top: 0, width: 64, height: 50 });
  expect(surroundings(picture, region, 24, 'reflection')).toEqual({ left: -8, top: -4, width: 72, height: 62 });
  expect(surroundings(picture, region, 2, 'reflection')).toEqual({ left: -2, top: 18, width: 44, height: 34 });
});

test('squares cover a region once', () => {
  expect(squares({ left: 5, top: 7, width: 5, height: 2 }, 3)).toEqual([
    { left: 5, top: 7, width: 3, height: 2 },
    { left: 8, top: 7, width: 2, height: 2 },
  ]);
  expect(squares({ left: 0, top: 0, width: 3, height: 6 }, 3).map(({ top }) => top)).toEqual([0, 3]);
});
