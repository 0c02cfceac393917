import { encodeSafetensors } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { generatorOf } from './generator.js';
import { checkpointBytes, config, exportedBytes, vector } from './test-model.js';

test.each([
  ['of a checkpoint', checkpointBytes],
  ['exported for PyTorch', exportedBytes],
])('a file %s gives the sizes and the weights', (_, bytes) => {
  const found = generatorOf(bytes, 'a test');
  expect(found.config).toEqual(config);
  expect(found.vector).toEqual(vector);
});

test.each([
  ['other tensors', encodeSafetensors([], {}), 'invalid', /^a test holds no generator of fourfold/],
  ['a file that is cut off', checkpointBytes.slice(0, -4), 'corrupt', /^a test is not a valid safetensors file/],
])('%s: refused', (_, bytes, code, message) => {
  expect(() => generatorOf(bytes, 'a test')).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
  );
});
