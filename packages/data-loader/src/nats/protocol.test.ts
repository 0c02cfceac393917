import { parseRunConfig } from '@fourfold/common';
import { expect, test } from 'vitest';
import type { DatasetManifest } from '../manifest.js';
import { batchesDigest } from './protocol.js';

const digest = (settings: object) => {
  const { data, seed } = parseRunConfig({ name: 'a', dataset: 'photos', ...base, data: settings }, 'a test');
  return batchesDigest(manifest, data, seed);
};
const base = { loss: { content: 'mse' }, phases: [{ kind: 'mse', iterations: 1, learningRate: 1 }] };
const manifest = { shards: [], samples: 3 } as unknown as DatasetManifest;

test('those who cache otherwise make the same batches, those who crop otherwise do not', () => {
  expect(digest({ cacheFolder: '/cache', cacheBytes: 1 << 20 })).toBe(digest({}));
  expect(digest({ crop: 32 })).not.toBe(digest({}));
});
