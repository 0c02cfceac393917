import { expect, test } from 'vitest';
import { completedKind, kindDifferences, parseKind, type WorkerKind } from './worker-kind.js';

const whole = {
  ...{ backend: 'torch', version: '2.15.0', device: 'a GPU', instructionSet: 'AVX2' },
  ...{ threads: 2, precision: 'f32', decoder: 'vips 8.18.7', featureWeights: 'content 0123456789ab' },
};

test.each<[string, WorkerKind, WorkerKind, string]>([
  ['the same', whole, whole, ''],
  ['in another order', Object.fromEntries(Object.entries(whole).reverse()), whole, ''],
  ['another backend', whole, { ...whole, backend: 'wasm' }, 'backend'],
  ['another version', whole, { ...whole, version: '2.16.0' }, 'version'],
  [
    'another device and instruction set',
    whole,
    { ...whole, device: 'b', instructionSet: 'c' },
    'device instructionSet',
  ],
  ['other threads', whole, { ...whole, threads: 1 }, 'threads'],
  ['another precision', whole, { ...whole, precision: 'bf16' }, 'precision'],
  ['another decoder', whole, { ...whole, decoder: 'vips 8.17.0' }, 'decoder'],
  ['other weights of VGG', whole, { ...whole, featureWeights: 'content ba9876543210' }, 'featureWeights'],
  ['a checkpoint without a decoder', { ...whole, decoder: undefined }, whole, ''],
  ['a worker without a decoder', whole, { ...whole, decoder: '' }, ''],
  ['nothing is known yet', {}, whole, ''],
])('kinds: %s', (_, run, worker, expected) => {
  expect(kindDifferences(run, worker).join(' ')).toBe(expected);
  expect(kindDifferences(worker, run).join(' ')).toBe(expected);
});

test('a manifest’s kind is read by its fields; obsolete fields do not matter', () => {
  expect(parseKind(JSON.stringify(whole))).toEqual(whole);
  expect(parseKind(JSON.stringify({ ...whole, node: 'v20.19.0' }))).toEqual(whole);
  for (const none of ['', '{}', 'not JSON', '[1]', '{"threads":"many"}']) expect(parseKind(none)).toEqual({});
});

test('a field that a run did not have is taken from its first worker, and binds the next', () => {
  const { decoder, ...before } = whole;
  expect(completedKind(before, whole)).toEqual(whole);
  expect(completedKind({}, whole)).toEqual(whole);
  expect(completedKind(whole, { ...whole, decoder: '' })).toEqual(whole);
  const next = { ...whole, decoder: `${decoder}.1` };
  expect(kindDifferences(completedKind(before, whole), next)).toEqual(['decoder']);
});
