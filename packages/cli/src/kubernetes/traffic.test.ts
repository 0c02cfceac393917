import { expect, test } from 'vitest';
import { trafficOf, trafficWithoutCluster } from './traffic.js';

const plain = { FOURFOLD_INSECURE: '1' };
const secured = { FOURFOLD_NATS_URL: 'tls://fourfold-nats:4222' };

test('a run uses TLS where its namespace does, and a run in plain text says so first', () => {
  expect(trafficOf(undefined, secured, 'team')).toEqual({ tls: true });
  const { tls, note } = trafficOf(undefined, plain, 'team');
  expect(tls).toBe(false);
  expect(note).toMatch(/^the traffic of this run is in plain text: .*docs\/kubernetes\.md/);
  expect(trafficOf(true, plain, 'team')).toEqual({ tls: true });
  expect(trafficOf(false, plain, 'team')).toEqual({ tls, note });
});

test('plain text in a namespace that requires TLS is refused, before a pod would refuse it', () => {
  expect(() => trafficOf(false, secured, 'team')).toThrow('--no-tls: namespace team requires TLS');
});

test('without a cluster a run uses TLS, and says for which namespaces that is', () => {
  expect(trafficWithoutCluster(undefined)).toMatchObject({
    tls: true,
    note: expect.stringContaining('--no-tls') as string,
  });
  expect(trafficWithoutCluster(true)).toEqual({ tls: true });
  expect(trafficWithoutCluster(false)).toMatchObject({
    tls: false,
    note: expect.stringContaining('plain text') as string,
  });
});
