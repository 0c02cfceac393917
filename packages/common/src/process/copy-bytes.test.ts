import { expect, test } from 'vitest';
import { copyBytes } from './copy-bytes.js';

test('bytes are copied to the start of the target, also between shared memories', () => {
  const target = new Uint8Array(new SharedArrayBuffer(8), 1, 6).fill(9);
  copyBytes(new Uint8Array(new SharedArrayBuffer(4)).fill(7).subarray(1), target);
  expect([...target]).toEqual([7, 7, 7, 9, 9, 9]);
  copyBytes(new Uint8Array(), target);
  expect([...target]).toEqual([7, 7, 7, 9, 9, 9]);
  expect([...new Uint8Array(target.buffer)]).toEqual([0, 7, 7, 7, 9, 9, 9, 0]);
});

test('a target that is too small is refused, even where its memory goes on', () => {
  const target = new Uint8Array(new SharedArrayBuffer(8), 0, 2);
  expect(() => copyBytes(new Uint8Array(3), target)).toThrow('the target is too small');
});
