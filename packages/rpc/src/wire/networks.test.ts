import { networks } from '@fourfold/common';
import { expect, test } from 'vitest';
import { networkOf, wireNetworks } from './networks.js';

test('each network has a name of its own in messages, which leads back to it', () => {
  expect(networks.map((network) => networkOf(wireNetworks[network]))).toEqual(networks);
});
