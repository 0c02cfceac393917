import { expect, test } from 'vitest';
import { rgbOf } from './pixels.js';

test('alpha is composited on white', () => {
  const data = Uint8ClampedArray.from([10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 200, 51]);
  const rgb = Uint8Array.from([10, 20, 30, 255, 255, 255, 204, 224, 244]);
  expect(rgbOf({ data, width: 3, height: 1 })).toEqual({ data: rgb, width: 3, height: 1 });
});

test('pixels that do not fit the size are refused', () => {
  expect(() => rgbOf({ data: new Uint8Array(5), width: 1, height: 2 })).toThrow(
    '5 values are not the pixels of a picture of 1x2',
  );
});
