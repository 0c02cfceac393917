import tf = require('@tensorflow/tfjs-core');
import { tensorCount } from '@fourfold/tfjs-torch';
import { expect, test } from 'vitest';
import { probeBackends, selectBackend } from './backends/backend.js';
import { smallIteration } from './test-iteration.js';
import { onOneThread } from './test-support.js';
import { lacks } from '../../../test/support/needs.mjs';

const [torch] = probeBackends();

test.for(['f32', 'bf16'] as const)('iterations on torch in %s leave no tensor', async (precision, { skip }) => {
  skip(lacks('torch', torch.found, torch.detail));
  await selectBackend({ ...onOneThread('torch'), precision });
  const counts = () => ({
    tensors: tf.memory().numTensors,
    dataIds: tf.engine().backend.numDataIds(),
    ofLibtorch: tensorCount(),
  });
  await smallIteration();
  // By now the backend has allocated what it keeps.
  const before = counts();
  for (let i = 0; i < 10; i++) await smallIteration();
  expect(counts()).toEqual(before);
});
