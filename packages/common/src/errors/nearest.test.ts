import { expect, test } from 'vitest';
import { nearest } from './nearest.js';

const keys = ['globalBatch', 'replicas', 'crop', 'cropsPerPicture', 'windowPictures', 'flips'];

test.each([
  ['replica', 'replicas'],
  ['globalbatch', 'globalBatch'],
  ['global_batch', 'globalBatch'],
  ['corp', 'crop'],
  ['flip', 'flips'],
  ['windowPicture', 'windowPictures'],
  ['global', 'globalBatch'],
  ['cropsPerPictureAndEpoch', 'cropsPerPicture'],
  ['batch', undefined],
  ['x', undefined],
  ['flps', 'flips'],
  ['', undefined],
])('%j is probably %j', (word, meant) => expect(nearest(word, keys)).toBe(meant));

test('a short word is not another', () => expect(nearest('gpu', ['cpu', 'wasm'])).toBeUndefined());

test('two swapped letters are one mistake', () => expect(nearest('dmeo', ['srgan-mse', 'demo'])).toBe('demo'));
