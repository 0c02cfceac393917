import { targetOf } from '@fourfold/common';
import { expect, test } from 'vitest';
import { listenAddress } from './security.js';

const identity = { authority: '', certificate: '', key: '' };

test.each([
  ['127.0.0.1', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
])('without TLS a server listens only on loopback: %s', (host, isOwn) => {
  const listen = targetOf({ host, port: 0 }).slice('dns:///'.length);
  const open = (security: { identity?: typeof identity; allowInsecure: boolean }) => () =>
    listenAddress(listen, security);
  if (isOwn) expect(open({ allowInsecure: false })).not.toThrow();
  else
    expect(open({ allowInsecure: false })).toThrow(`${listen} can be reached from other machines, and there is no TLS`);
  expect(open({ allowInsecure: true })).not.toThrow();
  expect(open({ identity, allowInsecure: false })).not.toThrow();
});
