import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityEnvironment, makeCertificates } from '@fourfold/rpc/certificates';
import { expect, test } from 'vitest';
import { readNatsSettings } from './settings.js';

const url = { FOURFOLD_NATS_URL: 'nats://nats.example' };

test('servers without credentials', () => {
  expect(readNatsSettings(url)).toEqual({ servers: [{ host: 'nats.example', port: 4222 }], isSecure: false });
  expect(readNatsSettings({ FOURFOLD_NATS_URL: 'tls://a:4223, tls://b/' })).toEqual({
    servers: [
      { host: 'a', port: 4223 },
      { host: 'b', port: 4222 },
    ],
    isSecure: true,
  });
});

test('the password from a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-nats-settings-'));
  const path = join(folder, 'password');
  await writeFile(path, 'hush\n');
  const settings = readNatsSettings({ ...url, FOURFOLD_NATS_USER: 'ada', FOURFOLD_NATS_PASSWORD_FILE: path });
  expect(settings.credentials).toEqual({ user: 'ada', password: 'hush' });
  await rm(folder, { recursive: true });
});

test('a renewed certificate is shown to the next server', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-nats-settings-'));
  const options = { days: 1, hosts: ['nats.example'] };
  await makeCertificates(folder, options);
  const secured = { FOURFOLD_NATS_URL: 'tls://nats.example', ...identityEnvironment(folder, 'worker') };
  const settings = readNatsSettings(secured);
  const before = settings.identity;
  expect(before?.certificate).toContain('BEGIN CERTIFICATE');
  expect(settings.identity).toBe(before);
  await makeCertificates(folder, { ...options, renew: true });
  expect(settings.identity?.certificate).not.toBe(before?.certificate);
  await rm(folder, { recursive: true });
});

test.each<[string, Record<string, string>, string]>([
  ['nothing', {}, 'FOURFOLD_NATS_URL is not set'],
  ['a bare host', { FOURFOLD_NATS_URL: 'nats.example:4222' }, 'FOURFOLD_NATS_URL is not a URL of a NATS server'],
  ['http', { FOURFOLD_NATS_URL: 'http://nats.example' }, 'FOURFOLD_NATS_URL is not a URL of a NATS server'],
  ['both kinds', { FOURFOLD_NATS_URL: 'nats://a,tls://b' }, 'FOURFOLD_NATS_URL mixes nats:// and tls://'],
  ['credentials in it', { FOURFOLD_NATS_URL: 'nats://ada:hush@a' }, 'FOURFOLD_NATS_URL holds credentials'],
  ['a user alone', { ...url, FOURFOLD_NATS_USER: 'ada' }, 'FOURFOLD_NATS_PASSWORD is not set'],
  ['a password alone', { ...url, FOURFOLD_NATS_PASSWORD: 'hush' }, 'FOURFOLD_NATS_USER is not set'],
  [
    'half an identity',
    { FOURFOLD_NATS_URL: 'tls://a', FOURFOLD_TLS_CA: 'ca.pem' },
    'FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY is not set',
  ],
])('%s is refused by the variable’s name, never with a secret', (_, environment, message) => {
  const read = () => readNatsSettings(environment);
  expect(read).toThrow(message);
  expect(read).not.toThrow(/hush/);
});
