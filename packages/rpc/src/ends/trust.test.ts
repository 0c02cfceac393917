import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, makeGenericClientConstructor, status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { CoordinatorHandlers } from '../generated/fourfold/v1/Coordinator.js';
import type { WorkerHandlers } from '../generated/fourfold/v1/Worker.js';
import { createLogger } from '@fourfold/common';
import { identityEnvironment, makeCertificates } from '../security/certificates.js';
import { createCoordinatorClient, createWorkerClient } from './client.js';
import { hasRule } from './permissions.js';
import { readRpcSecurity, type RpcSecurity } from './security.js';
import { startServer, type RunningServer } from './server.js';
import { whyNoTrust } from './trust.js';
import { wire } from '../wire/wire.js';

/*
 * Who may call whom: certificates, roles, and the join token, over real connections.
 */

const log = createLogger('test');
log.level = 'silent';
const warned = vi.spyOn(log, 'warn');
const refusals = () => warned.mock.calls.map(([fields]) => (fields as { reason: string }).reason);

let folder: string;
let server: RunningServer | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-trust-'));
  const options = { days: 1, hosts: ['localhost'] };
  await makeCertificates(join(folder, 'ours'), options);
  await makeCertificates(join(folder, 'theirs'), options);
});
afterEach(async () => {
  await server?.close();
  warned.mockClear();
});
afterAll(() => rm(folder, { recursive: true }));

const token = 'a-token-of-24-characters';
const as = (name: string, joinToken = token, authority = 'ours'): RpcSecurity =>
  readRpcSecurity({ ...identityEnvironment(join(folder, authority), name), FOURFOLD_JOIN_TOKEN: joinToken });
const plain = (joinToken?: string): RpcSecurity => readRpcSecurity({ FOURFOLD_JOIN_TOKEN: joinToken });

const answers: CoordinatorHandlers & WorkerHandlers = {
  Join: (call) => call.on('data', () => undefined).on('end', () => call.end()),
  PullParameters: (call) => call.end(),
  Watch: (call) => call.end(),
  PullGradient: (call) => call.end(),
};

async function serve(security: RpcSecurity): Promise<string> {
  server = await startServer('127.0.0.1:0', { log, security });
  server.addService(wire.Coordinator.service, answers);
  server.addService(wire.Worker.service, answers);
  return server.address;
}

/** Call a method; resolves with its final status. */
async function call(
  address: string,
  method: 'Join' | 'PullParameters' | 'Watch' | 'PullGradient',
  security: RpcSecurity,
): Promise<{ code: status; details: string }> {
  const client =
    method === 'PullGradient'
      ? createWorkerClient(address, security)
      : createCoordinatorClient(address, 'control', security);
  const stream = (
    client as unknown as Record<string, (request: object) => NodeJS.ReadableStream & { end?: () => void }>
  )[method]({});
  stream.end?.();
  try {
    return await new Promise((resolve) => {
      stream.on('error', ({ code, details }: ServiceError) => resolve({ code, details }));
      stream.on('end', () => resolve({ code: status.OK, details: '' }));
      stream.resume();
    });
  } finally {
    client.close();
  }
}

test('a worker with certificate and token joins, pulls and watches; the coordinator pulls from it', async () => {
  const address = await serve(as('coordinator'));
  for (const method of ['Join', 'PullParameters', 'Watch'] as const) {
    expect(await call(address, method, as('worker'))).toEqual({ code: status.OK, details: '' });
  }
  // The process that started all parts.
  expect((await call(address, 'Watch', as('local'))).code).toBe(status.OK);
  await server?.close();
  const worker = await serve(as('worker'));
  expect((await call(worker, 'PullGradient', as('coordinator'))).code).toBe(status.OK);
  expect(refusals()).toEqual([]);
});

test('every method of the protocol has a rule', () => {
  const services = [wire.Coordinator.service, wire.Worker.service];
  const paths = services.flatMap((service) => Object.values(service).map(({ path }) => path));
  expect(paths).toHaveLength(4);
  expect(paths.filter((path) => !hasRule(path))).toEqual([]);
});

test('a method without a rule cannot be called', async () => {
  const definition = {
    Watch: { ...wire.Coordinator.service.Watch, path: '/fourfold.v1.Coordinator/Forgotten' },
  };
  server = await startServer('127.0.0.1:0', { log, security: plain() });
  server.addService(definition, { Watch: answers.Watch });
  const Client = makeGenericClientConstructor(definition, 'forgotten');
  const client = new Client(server.address, credentials.createInsecure());
  const stream = (client as unknown as { Watch: (request: object) => NodeJS.ReadableStream }).Watch({});
  const ended = await new Promise<ServiceError>((resolve) => stream.once('error', resolve));
  expect([ended.code, ended.details]).toEqual([status.PERMISSION_DENIED, 'no rule allows this call']);
  client.close();
});

test.each(['Join', 'PullParameters', 'Watch'] as const)('%s is for workers', async (method) => {
  const address = await serve(as('coordinator'));
  const details = 'this is for the role worker, the certificate is for coordinator';
  expect(await call(address, method, as('coordinator'))).toEqual({ code: status.PERMISSION_DENIED, details });
  expect(refusals()).toEqual([details]);
});

test('PullGradient is for the coordinator', async () => {
  const address = await serve(as('worker'));
  expect(await call(address, 'PullGradient', as('worker'))).toEqual({
    code: status.PERMISSION_DENIED,
    details: 'this is for the role coordinator, the certificate is for worker',
  });
});

test.each([
  ['without TLS', () => plain(token), plain],
  ['over TLS', () => as('coordinator'), (shown?: string) => as('worker', shown ?? '')],
])('a coordinator with a token requires it, %s', async (_, own, worker) => {
  const address = await serve(own());
  const missing = { code: status.UNAUTHENTICATED, details: 'the worker sent no join token' };
  const wrong = {
    code: status.UNAUTHENTICATED,
    details: 'the worker sent a different join token from the coordinator’s',
  };
  for (const method of ['Join', 'PullParameters', 'Watch'] as const) {
    expect(await call(address, method, worker())).toEqual(missing);
    expect(await call(address, method, worker('a-token-of-24-charactexs'))).toEqual(wrong);
    expect((await call(address, method, worker(token))).code).toBe(status.OK);
  }
  // The same reason is not logged each time.
  expect(refusals()).toEqual([missing.details, wrong.details]);
});

test('a coordinator without a token requires none', async () => {
  expect((await call(await serve(plain()), 'Join', plain(token))).code).toBe(status.OK);
});

test.each<[string, () => RpcSecurity, () => RpcSecurity, RegExp, RegExp[]]>([
  [
    'a process without a certificate',
    () => as('coordinator'),
    () => plain(token),
    /requires TLS with a certificate, and this process has none: set FOURFOLD_TLS_CA/,
    [/the TLS handshake failed: ERR_SSL/],
  ],
  [
    'a process of another authority',
    () => as('coordinator'),
    () => as('worker', token, 'theirs'),
    /shows a certificate that the authority in FOURFOLD_TLS_CA does not vouch for \(SELF_SIGNED_CERT_IN_CHAIN\)/,
    [/the TLS handshake failed: /],
  ],
  [
    'a process with a certificate of another authority that trusts ours',
    () => as('coordinator'),
    () => {
      const [ours, theirs] = [as('worker'), as('worker', token, 'theirs')];
      return {
        ...theirs,
        identity: { ...theirs.identity, authority: ours.identity?.authority } as RpcSecurity['identity'],
      };
    },
    /refuses this process’s certificate/,
    [/the caller’s certificate is not trusted: UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
  ],
  [
    'a process with a certificate for servers',
    () => as('coordinator'),
    () => as('nats'),
    /refuses this process’s certificate/,
    [/the caller’s certificate is not trusted: INVALID_PURPOSE/],
  ],
  [
    'a process that finds another role than it dials',
    () => as('worker'),
    () => as('worker'),
    /shows a certificate that is not for the role coordinator/,
    [],
  ],
  [
    'a process that finds no TLS',
    () => plain(),
    () => as('worker'),
    /does not speak TLS, which this process requires/,
    [],
  ],
])('%s is not served, and learns why', async (_, own, caller, reason, logged) => {
  const address = await serve(own());
  const { code } = await call(address, 'Join', caller());
  expect(code).toBe(status.UNAVAILABLE);
  expect(await whyNoTrust(address, 'coordinator', caller())).toMatch(reason);
  for (const pattern of logged) expect(refusals()).toContainEqual(expect.stringMatching(pattern));
});

test('a server that is down, or does not answer, is not distrusted', async () => {
  const accepted: Socket[] = [];
  const silent = createServer((socket) => accepted.push(socket.on('error', () => undefined).resume()));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  expect(await whyNoTrust(address, 'coordinator', as('worker'))).toBeUndefined();
  expect(await whyNoTrust(address, 'coordinator', plain())).toBeUndefined();
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
  expect(await whyNoTrust(address, 'coordinator', as('worker'))).toBeUndefined();
  const trusted = await serve(as('coordinator'));
  expect(await whyNoTrust(trusted, 'coordinator', as('worker'))).toBeUndefined();
});

test('a message above the size limit ends only its call', async () => {
  const address = await serve(plain());
  const client = new wire.Coordinator(address, credentials.createInsecure());
  const stream = client.Join();
  const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
  stream.resume();
  stream.write({ leaseFailed: { reason: 'a'.repeat(2 << 20) } });
  expect((await ended).code).toBe(status.RESOURCE_EXHAUSTED);
  client.close();
  expect((await call(address, 'Watch', plain())).code).toBe(status.OK);
});

test('an invalid token is refused without being repeated', () => {
  for (const bad of ['short', 'with a space in its middle', 'ünprintable-characters']) {
    expect(() => plain(bad)).toThrow(
      /^FOURFOLD_JOIN_TOKEN must be 16 to 256 printable ASCII characters without spaces$/,
    );
  }
});

test('silent connections do not keep a server from closing', async () => {
  const address = await serve(as('coordinator'));
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  await server?.close(100);
  await closed;
});
