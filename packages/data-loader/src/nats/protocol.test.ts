import { parseRunConfig } from '@fourfold/common';
import { expect, test } from 'vitest';
import type { DatasetManifest } from '../prepare/manifest.js';
import { batchesDigest } from './protocol.js';

const digest = (settings: object, decoder = 'vips 8') => {
  const { data, seed } = parseRunConfig({ name: 'a', dataset: 'photos', ...base, data: settings }, 'a test');
  return batchesDigest(manifest, data, seed, decoder);
};
const base = { loss: { content: 'mse' }, phases: [{ kind: 'mse', iterations: 1, learningRate: 1 }] };
const manifest = { shards: [], samples: 3 } as unknown as DatasetManifest;

test('other cache settings make the same batches, other crop settings do not', () => {
  expect(digest({ cacheFolder: '/cache', cacheBytes: 1 << 20 })).toBe(digest({}));
  expect(digest({ crop: 32 })).not.toBe(digest({}));
});

test('other decoding libraries may make other batches', () => {
  expect(digest({}, 'vips 8.17.0')).toBe(digest({}, 'vips 8.17.0'));
  expect(digest({}, 'vips 8.17.0')).not.toBe(digest({}, 'vips 8.18.0'));
  expect(digest({})).not.toBe(digest({}, ''));
});
