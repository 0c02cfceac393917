import type { V1Node } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { mixedGpus } from './gpu-models.js';

const node = (gpus: number, labels: Record<string, string> = {}): V1Node => ({
  metadata: { labels },
  status: { allocatable: gpus > 0 ? { 'nvidia.com/gpu': `${gpus}` } : {} },
});
const product = 'nvidia.com/gpu.product';
const type = 'node.kubernetes.io/instance-type';
const mixed = [
  node(8, { [product]: 'H100', pool: 'a' }),
  node(4, { [product]: 'L4', pool: 'b' }),
  node(0, { pool: 'a' }),
];

test('nodes with GPUs of several models are told, with the option that chooses one', () => {
  expect(mixedGpus(mixed)).toMatch(
    /nvidia\.com\/gpu\.product \(H100, L4\).* --node-selector nvidia\.com\/gpu\.product=H100$/,
  );
  expect(mixedGpus([node(1, { [type]: 'g6' }), node(1, { [type]: 'p5' })])).toContain(`${type} (g6, p5)`);
});

test('a node selector that leaves one model, one model, and nodes that do not tell: nothing is said', () => {
  expect(mixedGpus(mixed, { pool: 'a' })).toBeUndefined();
  expect(mixedGpus(mixed, { [product]: 'L4' })).toBeUndefined();
  expect(mixedGpus([node(8, { [product]: 'H100' }), node(4, { [product]: 'H100' })])).toBeUndefined();
  expect(mixedGpus([node(8), node(4)])).toBeUndefined();
});
