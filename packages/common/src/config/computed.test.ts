import { expect, test } from 'vitest';
import { computedDifference, computedKeys } from './computed.js';
import { parseRunConfig } from './load.js';

const phases = [{ kind: 'mse', iterations: 4, learningRate: 1e-3 }];
const keysOf = (more: object) => computedKeys(parseRunConfig({ name: 'a', dataset: 'ds', phases, ...more }, 'a test'));
const own = keysOf({});
const differenceTo = (more: object) => computedDifference(own, keysOf(more));

test('a key that changes what is computed is named with both values', () => {
  expect(differenceTo({ data: { flips: true } })).toBe('data.flips (false and true)');
  expect(differenceTo({ loss: { content: 'mse', adversarialWeight: 0.005 }, seed: 1 })).toBe(
    'seed (0 and 1), loss.content ("vgg54" and "mse"), loss.adversarialWeight (0.001 and 0.005)',
  );
  expect(differenceTo({ phases: [...phases, { ...phases[0], kind: 'gan' }], vgg: '/vgg19' })).toBe(
    'phases.1 (none and {"kind":"gan"})',
  );
});

test('options of the generator’s batch norms and losses are among them', () => {
  expect(differenceTo({ frozenBatchNorm: true, loss: { adversarial: 'relativistic' } })).toBe(
    'loss.adversarial ("standard" and "relativistic"), frozenBatchNorm (false and true)',
  );
  expect(differenceTo({ clipGradientNorm: 1 })).toBeUndefined();
});

test('machines may differ in the rest', () => {
  expect(
    differenceTo({ data: { cacheFolder: '/cache', cacheBytes: 5 }, workers: { threads: 3 }, store: 's3://models' }),
  ).toBeUndefined();
});

test('what is no config differs as a whole, and no text of a worker is long in a log', () => {
  expect(computedDifference(own, '')).toMatch(/^all keys \(\{"seed":0,.{29}… and none\)$/);
  const long = 'k'.repeat(9_000);
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${long}${i}`, long]));
  expect(computedDifference(own, JSON.stringify(many))!.length).toBeLessThan(500);
});
