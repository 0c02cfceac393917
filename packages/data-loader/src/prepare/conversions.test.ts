import { expect, test } from 'vitest';
import { picturesTogether } from './conversions.js';

test.each([
  ['two for each core', 4, 16 * 2 ** 30, 8],
  ['a container with little memory on a large machine', 128, 4 * 2 ** 30, 8],
  ['very little memory', 2, 2 ** 28, 1],
])('pictures are converted together as cores and memory allow: %s', (_, cores, memoryBytes, expected) => {
  expect(picturesTogether(cores, memoryBytes)).toBe(expected);
});
