import { once } from 'node:events';
import { appendFile, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { createLogger, parseAddress, type Address } from '@fourfold/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { identityEnvironment, makeCertificates } from '../security/certificates.js';
import { roleName } from '../security/roles.js';
import { certificateExpirySeconds } from './renewal.js';
import { readRpcSecurity, type RpcSecurity } from './security.js';
import { startServer, type RunningServer } from './server.js';

/*
 * Certificates that are renewed while processes run.
 */

const log = createLogger('test');
log.level = 'silent';
const logged = (level: 'info' | 'warn') => vi.spyOn(log, level);
const options = { days: 60, hosts: ['localhost'] };

let folder: string;
let server: RunningServer | undefined;
const sockets: TLSSocket[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-renewal-'));
  await makeCertificates(folder, options);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  await rm(folder, { recursive: true });
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const as = (name: string, place = folder): RpcSecurity => readRpcSecurity(identityEnvironment(place, name));

/** Connect as a worker; resolves with the server's certificate once the server has accepted this one's. */
async function dial({ address }: RunningServer, { identity }: RpcSecurity) {
  const { host, port } = parseAddress(address) as Address;
  const { authority: ca, certificate: cert, key } = identity ?? { authority: '', certificate: '', key: '' };
  const socket = connect({ host, port, ca, cert, key, servername: roleName('coordinator'), ALPNProtocols: ['h2'] });
  sockets.push(socket);
  // An HTTP/2 server that trusts its caller speaks first.
  await once(socket, 'data');
  return { socket, serial: socket.getPeerCertificate().serialNumber };
}

test('a server shows a renewed certificate to new connections, and those that exist go on', async () => {
  const info = logged('info');
  server = await startServer('127.0.0.1:0', { log, security: as('coordinator') });
  const worker = as('worker');
  const before = await dial(server, worker);
  const shown = worker.identity;
  expect((await dial(server, worker)).serial).toBe(before.serial);
  await makeCertificates(folder, { ...options, renew: true });
  expect((await dial(server, worker)).serial).not.toBe(before.serial);
  expect(worker.identity?.certificate).not.toBe(shown?.certificate);
  expect(before.socket.destroyed).toBe(false);
  const renewals = info.mock.calls.filter(([fields]) => (fields as { event: string }).event === 'certificate-renewed');
  expect(renewals).toHaveLength(1);
});

test('files that do not belong together yet are not used', async () => {
  const security = as('worker');
  const before = security.identity;
  const { FOURFOLD_TLS_KEY: key, FOURFOLD_TLS_CERTIFICATE: certificate } = identityEnvironment(folder, 'worker');
  await copyFile(identityEnvironment(folder, 'coordinator').FOURFOLD_TLS_KEY, key);
  expect(security.identity).toBe(before);
  await rm(certificate);
  expect(security.identity).toBe(before);
  await writeFile(certificate, 'half a certif');
  expect(security.identity).toBe(before);
  await copyFile(identityEnvironment(folder, 'coordinator').FOURFOLD_TLS_CERTIFICATE, certificate);
  expect(security.identity?.certificate).toBe(as('coordinator').identity?.certificate);
});

test('an authority is changed by a file with both: certificates of either are trusted', async () => {
  server = await startServer('127.0.0.1:0', { log, security: as('coordinator') });
  const next = join(folder, 'next');
  await makeCertificates(next, options);
  const [ours, theirs] = [folder, next].map((place) => identityEnvironment(place, 'worker').FOURFOLD_TLS_CA);
  const [old, young] = await Promise.all([readFile(ours, 'utf8'), readFile(theirs, 'utf8')]);
  await expect(dial(server, as('worker', next))).rejects.toThrow();
  await Promise.all([appendFile(ours, young), appendFile(theirs, old)]);
  await dial(server, as('worker', next));
  await dial(server, as('worker'));
});

test.each([
  [365, 334, []],
  [365, 336, ['certificate-expires']],
  [10, 8.9, []],
  [10, 9.1, ['certificate-expires']],
  [10, 11, ['certificate-expires']],
])('a certificate of %d days is warned of in its last days: after %d', async (days, after, expected) => {
  const warn = logged('warn');
  await makeCertificates(folder, { ...options, days, renew: true });
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + after * 86_400_000 });
  server = await startServer('127.0.0.1:0', { log, security: as('coordinator') });
  expect(warn.mock.calls.map(([fields]) => (fields as { event: string }).event)).toEqual(expected);
});

test('a certificate that nears its end while the process runs is warned of, and its end is a figure', async () => {
  const warn = logged('warn');
  expect(certificateExpirySeconds()).toBeUndefined();
  for (const [name, value] of Object.entries(identityEnvironment(folder, 'coordinator'))) vi.stubEnv(name, value);
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const leftDays = (certificateExpirySeconds()! - Date.now() / 1000) / 86_400;
  expect(Math.round(leftDays)).toBe(options.days);
  server = await startServer('127.0.0.1:0', { log, security: as('coordinator') });
  vi.advanceTimersByTime(53 * 86_400_000);
  expect(warn).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2 * 86_400_000);
  expect(warn).toHaveBeenCalledWith(expect.objectContaining({ event: 'certificate-expires' }), expect.anything());
  vi.unstubAllEnvs();
});
