import { expect, test } from 'vitest';
import { isLoopback, parseAddress, peerAddress, targetOf } from './address.js';

test.each([
  ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
  ['coordinator.train.svc:1', { host: 'coordinator.train.svc', port: 1 }],
  ['[::1]:65535', { host: '::1', port: 65_535 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
])('%s is an address', (text, expected) => {
  expect(parseAddress(text)).toEqual(expected);
});

test.each([
  'unix:/tmp/socket',
  'unix:///tmp/socket',
  'dns:///host:1',
  'ipv4:127.0.0.1:1',
  'http://host:1',
  'host',
  ':1',
  '::1:1',
  '[host]:1',
  '[1:1',
  'host:65536',
  'host:-1',
  'host:1/path',
  'user@host:1',
  'ho st:1',
  'host:1\n',
  '',
])('%j is not an address', (text) => {
  expect(parseAddress(text)).toBeUndefined();
  expect(() => peerAddress(text)).toThrow('is not a host:port');
});

test('a host named like a scheme is still a host', () => {
  expect(targetOf(peerAddress('unix:1234'))).toBe('dns:///unix:1234');
  expect(targetOf(peerAddress('[::1]:5'))).toBe('dns:///[::1]:5');
  expect(() => peerAddress('host:0')).toThrow('"host:0" is not a host:port');
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.example', false],
])('%s is a loopback host: %s', (host, isOwn) => {
  expect(isLoopback(host)).toBe(isOwn);
});
