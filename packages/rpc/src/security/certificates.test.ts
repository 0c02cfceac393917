import { X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { identityEnvironment, makeCertificates } from './certificates.js';
import { roleName, rolesOf } from './roles.js';
import { readTlsIdentity } from './tls.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-certificates-'));
});
afterEach(() => rm(folder, { recursive: true }));

const options = { days: 30, hosts: ['nats.example', '127.0.0.1', '::1'] };
const read = async (path: string) => new X509Certificate(await readFile(path));

test('the authority vouches for a certificate of each role and of each server', async () => {
  const { authority, certificates, made } = await makeCertificates(folder, options);
  const ca = await read(authority.certificate);
  expect(ca.ca).toBe(true);
  expect(made).toEqual(['ca', 'coordinator', 'worker', 'data-loader', 'local', 'nats', 'minio']);
  expect(Object.keys(certificates)).toEqual(made.slice(1));
  for (const { certificate, key } of Object.values(certificates)) {
    const leaf = await read(certificate);
    expect(leaf.verify(ca.publicKey) && leaf.checkIssued(ca)).toBe(true);
    expect(leaf.ca).toBe(false);
    const days = (Date.parse(leaf.validTo) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(30);
    expect((await stat(key)).mode & 0o777).toBe(0o600);
  }
  expect((await stat(authority.key)).mode & 0o777).toBe(0o600);
});

test('certificates carry their roles, the servers’ their hosts', async () => {
  const { certificates } = await makeCertificates(folder, options);
  const rolesIn = async (name: string) =>
    rolesOf({ subjectaltname: (await read(certificates[name].certificate)).subjectAltName ?? '' });
  expect(await rolesIn('coordinator')).toEqual(['coordinator']);
  expect(await rolesIn('worker')).toEqual(['worker']);
  expect(await rolesIn('local')).toEqual(['coordinator', 'worker', 'data-loader']);
  expect(await rolesIn('nats')).toEqual([]);
  const nats = await read(certificates['nats'].certificate);
  expect(nats.checkHost('nats.example')).toBe('nats.example');
  expect([nats.checkIP('127.0.0.1'), nats.checkIP('::1')]).toEqual(['127.0.0.1', '::1']);
  expect(nats.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
});

test('an existing authority is used, and only missing files are created', async () => {
  const first = await makeCertificates(folder, options);
  const { certificate, key } = first.certificates['worker'];
  const untouched = await readFile(first.certificates['coordinator'].key);
  await Promise.all([rm(certificate), rm(key)]);
  const second = await makeCertificates(folder, options);
  expect(second).toEqual({ ...first, made: ['worker'] });
  const ca = await read(first.authority.certificate);
  expect((await read(certificate)).verify(ca.publicKey)).toBe(true);
  expect(await readFile(first.certificates['coordinator'].key)).toEqual(untouched);
  expect((await makeCertificates(folder, options)).made).toEqual([]);
});

test('a certificate is not valid for longer than its authority', async () => {
  const { authority, certificates } = await makeCertificates(folder, { ...options, days: 10_000 });
  const [ca, leaf] = [await read(authority.certificate), await read(certificates['worker'].certificate)];
  expect(leaf.validTo).toBe(ca.validTo);
});

test('invalid input is refused by name, and nothing is written', async () => {
  const refusal = async (hosts: string[]) => {
    const error = await makeCertificates(folder, { days: 1, hosts }).catch((caught: unknown) => caught);
    return (error as Error).message;
  };
  expect(await refusal(['a b'])).toBe('a b is neither a host name nor an IP address');
  expect(await refusal([roleName('coordinator')])).toBe(
    'coordinator.fourfold is the name of a role, which is not allowed for a server',
  );
  await writeFile(join(folder, 'ca.crt'), 'not a certificate');
  expect(await refusal(['localhost'])).toMatch(/ca\.crt exists, but .*ca\.key does not/);
  await writeFile(join(folder, 'ca.key'), 'not a key');
  expect(await refusal(['localhost'])).toMatch(/ca\.crt and .*ca\.key are not an EC P-256 authority in PEM$/);
  await expect(stat(join(folder, 'worker.key'))).rejects.toThrow('ENOENT');
});

test('an identity whose files do not belong together is refused by the variables’ names', async () => {
  await makeCertificates(folder, options);
  const worker = identityEnvironment(folder, 'worker');
  const other = join(folder, 'coordinator.key');
  expect(() => readTlsIdentity({ ...worker, FOURFOLD_TLS_KEY: other })).toThrow(
    /^FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY do not name a certificate in PEM and its key$/,
  );
  expect(() => readTlsIdentity({ ...worker, FOURFOLD_TLS_CA: other })).toThrow(
    /^FOURFOLD_TLS_CA does not name a certificate in PEM$/,
  );
});

test('an identity is given in the environment by the names of its files', async () => {
  await makeCertificates(folder, options);
  const identity = readTlsIdentity(identityEnvironment(folder, 'worker'));
  expect(identity?.certificate).toBe(await readFile(join(folder, 'worker.crt'), 'utf8'));
  expect(identity?.authority).toBe(await readFile(join(folder, 'ca.crt'), 'utf8'));
});

test('a certificate with another one’s key, as after an interrupted renewal, is refused, and renewed', async () => {
  await makeCertificates(folder, options);
  const files = (name: string) => ['crt', 'key'].map((ending) => join(folder, `${name}.${ending}`));
  const [[, ofWorker], [, ofLoader]] = [files('worker'), files('data-loader')];
  await copyFile(ofLoader, ofWorker);
  await expect(makeCertificates(folder, options)).rejects.toThrow(
    `${files('worker').join(' and ')} do not belong together`,
  );
  await makeCertificates(folder, { ...options, renew: true });
  expect((await makeCertificates(folder, options)).made).toEqual([]);
});
