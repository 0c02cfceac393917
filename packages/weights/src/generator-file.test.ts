import { expect, test } from 'vitest';
import { generatorOf } from './generator-file.js';
import { initialVector } from './initial-parameters.js';
import { generatorLayout } from './layout.js';
import { encodeSafetensors } from './safetensors.js';
import { encodeTorchGenerator } from './torch-generator.js';
import { safetensorsFromVector } from './weights-file.js';

const config = { channels: 4, blocks: 2 };
const layout = generatorLayout(config);
const vector = initialVector(layout, 3);
const checkpointBytes = safetensorsFromVector(layout, vector, {});
const exportedBytes = encodeTorchGenerator({ config, layout, vector }, {});

test.each([
  ['of a checkpoint', checkpointBytes],
  ['exported for PyTorch', exportedBytes],
])('a file %s gives the sizes and the weights', (_, bytes) => {
  const found = generatorOf(bytes, 'a test');
  expect(found.config).toEqual(config);
  expect(found.vector).toEqual(vector);
});

/** A tensor without numbers. */
const huge = { name: 'head/conv/filter', shape: [9, 9, 0, 1e9], data: new Float32Array(0) };

test.each([
  ['other tensors', encodeSafetensors([], {}), 'invalid', /^a test holds no generator of fourfold/],
  [
    'huge sizes',
    encodeSafetensors([huge], {}),
    'invalid',
    /^a test is too small for a generator of 1000000000 channels/,
  ],
  ['a file that is cut off', checkpointBytes.slice(0, -4), 'corrupt', /^a test is not a valid safetensors file/],
])('%s: refused', (_, bytes, code, message) => {
  expect(() => generatorOf(bytes, 'a test')).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
  );
});
