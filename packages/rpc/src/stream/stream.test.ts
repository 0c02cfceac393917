import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { createLogger, type Role } from '@fourfold/common';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { readRpcSecurity, type RpcSecurity } from '../ends/security.js';
import { startServer, type RunningServer } from '../ends/server.js';
import { identityEnvironment, makeCertificates } from '../security/certificates.js';
import { roleName } from '../security/roles.js';
import { decodeHeader, encodeHeader, encodeRequest, frameBytes, headerBytes, streamProtocol } from './frame.js';
import { createStreamReceiver, isUnanswered, type StreamReceiver } from './receiver.js';
import { isSecret, randomStreamSecret } from './secret.js';
import type { StreamedPieces, StreamedVector, StreamSource } from './stream-server.js';

const log = createLogger('test');
log.level = 'silent';
const warned = vi.spyOn(log, 'warn');
const refusals = () => warned.mock.calls.map(([fields]) => (fields as { reason: string }).reason);

const plain = readRpcSecurity({});
const secret = randomStreamSecret();
/** More than a receiver's ring, and an odd end. */
const byteLength = 20 * frameBytes + 12;
const vector = new Uint8Array(new SharedArrayBuffer(byteLength)).map((_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
const request = { kind: 'gradient', term: 3, number: 5, begin: 0 } as const;
const signal = new AbortController().signal;
const options = { byteLength, silenceMs: 10_000, signal };

let folder: string;
let server: RunningServer | undefined;
let between: Server | undefined;
let receivers: StreamReceiver[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-stream-'));
  await makeCertificates(join(folder, 'ours'), { days: 1, hosts: ['localhost'] });
  await makeCertificates(join(folder, 'theirs'), { days: 1, hosts: ['localhost'] });
});
afterEach(async () => {
  for (const receiver of receivers) await receiver.close();
  receivers = [];
  between?.close();
  await server?.close(0);
  warned.mockClear();
});
afterAll(() => rm(folder, { recursive: true }));

const as = (role: Role, authority = 'ours') => readRpcSecurity(identityEnvironment(join(folder, authority), role));

/** Serve the vector to who shows the secret. */
const source =
  (
    answer: StreamedVector | StreamedPieces | 'absent' | 'gone' = { bytes: vector, stillValid: () => true },
  ): StreamSource =>
  (asked) =>
    isSecret(asked.secret, secret) ? answer : 'stranger';

async function serve(answer: StreamSource = source(), security: RpcSecurity = plain) {
  server = await startServer('127.0.0.1:0', { log, security });
  server.addStream('coordinator', answer);
  return { address: server.address, role: 'worker' as const, secret };
}

function receiverWith(security: RpcSecurity = plain): StreamReceiver {
  const receiver = createStreamReceiver(security);
  receivers.push(receiver);
  return receiver;
}

async function receiveAll(receiver: StreamReceiver, peer: Awaited<ReturnType<typeof serve>>, given = options) {
  const target = new Uint8Array(new SharedArrayBuffer(byteLength));
  await receiver.receiveInto(peer, request, target, given);
  return Buffer.compare(target, vector) === 0;
}

/** Relay to the server, with each answer changed by `change`. */
async function relay(
  peer: Awaited<ReturnType<typeof serve>>,
  change: (bytes: Buffer, at: number, socket: Socket) => void,
) {
  const [host, port] = peer.address.split(':');
  between = createServer((socket) => {
    const onward = connect(Number(port), host);
    let at = 0;
    onward.on('data', (bytes) => {
      change(bytes, at, socket);
      at += bytes.byteLength;
      if (!socket.destroyed) socket.write(bytes);
    });
    socket.on('data', (bytes) => onward.write(bytes));
    for (const end of [socket, onward]) end.on('error', () => undefined);
    socket.on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
  });
  await new Promise<void>((resolve) => between?.listen(0, '127.0.0.1', resolve));
  return { ...peer, address: `127.0.0.1:${(between?.address() as AddressInfo).port}` };
}

describe.each([
  ['plain TCP', () => plain, () => plain],
  ['mutual TLS', () => as('worker'), () => as('coordinator')],
])('over %s', (_, own, other) => {
  test('vectors fill shared memory, one after another and at the same time', async () => {
    const peer = await serve(source(), own());
    const receiver = receiverWith(other());
    expect(await receiveAll(receiver, peer)).toBe(true);
    expect(await Promise.all([receiveAll(receiver, peer), receiveAll(receiver, peer)])).toEqual([true, true]);
  });

  test('pieces from a byte on are whole however late they are taken, and the connection serves the next vector', async () => {
    const peer = await serve(source(), own());
    const receiver = receiverWith(other());
    for (const begin of [8, 0]) {
      const got = Buffer.alloc(byteLength);
      for await (const piece of receiver.receive(peer, { ...request, begin }, options)) {
        // Until then the receiver has filled its memory and paused.
        if (piece.begin === begin) await new Promise((resolve) => setTimeout(resolve, 100));
        got.set(piece.bytes, piece.begin);
      }
      expect(Buffer.compare(got.subarray(begin), vector.subarray(begin))).toBe(0);
    }
  });
});

test('a vector that several receive has its frames’ headers made once', async () => {
  const headers = new Map<number, Uint8Array>();
  const peer = await serve(source({ bytes: vector, stillValid: () => true, headers }));
  expect(await receiveAll(receiverWith(), peer)).toBe(true);
  const made = [...headers];
  expect(made.map(([begin]) => begin)).toEqual(Array.from({ length: 21 }, (_, frame) => frame * frameBytes));
  expect(await receiveAll(receiverWith(), peer)).toBe(true);
  expect([...headers].every(([, header], frame) => header === made[frame][1])).toBe(true);
});

test('a sender without the vector, and one whose bytes are about to change, are told apart as by gRPC', async () => {
  let isValid = true;
  const gone = source({ bytes: vector, stillValid: () => (isValid = !isValid) });
  const peer = await serve((asked) => (asked.number === 5 ? gone(asked) : 'absent'));
  const receiver = receiverWith();
  await expect(receiveAll(receiver, peer)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  const absent = receiver.receiveInto(
    peer,
    { ...request, number: 6 },
    new Uint8Array(new SharedArrayBuffer(8)),
    options,
  );
  await expect(absent).rejects.toMatchObject({ code: status.NOT_FOUND });
});

test('a damaged frame, a cut connection and silence are errors that name the sender, and the next try succeeds', async () => {
  const peer = await serve();
  let fault: 'damage' | 'cut' | 'none' = 'damage';
  const relayed = await relay(peer, (bytes, at, socket) => {
    const [from, to] = [at, at + bytes.byteLength];
    if (from > 300_000 || to <= 300_000) return;
    if (fault === 'damage') bytes[300_000 - from] ^= 1;
    if (fault === 'cut') socket.destroy();
  });
  const receiver = receiverWith();
  const says = (what: string) => new RegExp(`^bulk stream from the worker at ${relayed.address}: ${what}`);
  await expect(receiveAll(receiver, relayed)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(says(`a frame at byte ${frameBytes} arrived damaged`)) as string,
  });
  fault = 'cut';
  await expect(receiveAll(receiver, relayed)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(says('the connection broke')) as string,
  });
  fault = 'none';
  expect(await receiveAll(receiver, relayed)).toBe(true);
  between?.close();
  between = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => between?.listen(0, '127.0.0.1', resolve));
  const silent = { ...peer, address: `127.0.0.1:${(between.address() as AddressInfo).port}` };
  const error = await receiveAll(receiver, silent, { ...options, silenceMs: 50 }).catch((error: unknown) => error);
  expect(error).toMatchObject({ message: expect.stringMatching(/no data arrived for 50 ms/) as string });
  expect(isUnanswered(error)).toBe(true);
});

test.each([true, false])(
  'a sender that has nothing yet is not silent while it says that it waits itself: %s',
  async (isWaiting) => {
    let release = (): void => undefined;
    const enough = new Promise<void>((resolve) => (release = resolve));
    const peer = await serve(
      source({
        async *pieces(left) {
          left.addEventListener('abort', release);
          await enough;
          yield { begin: 0, bytes: vector.subarray(0, 100) };
        },
        isWaiting: () => isWaiting,
      }),
    );
    let words = 0;
    const relayed = await relay(peer, (bytes) => {
      // A receiver hears four in its patience.
      if (decodeHeader(bytes)?.status === 'waiting' && ++words === 6) release();
    });
    const target = new Uint8Array(new SharedArrayBuffer(100));
    const received = receiverWith().receiveInto(relayed, request, target, { ...options, silenceMs: 2_000 });
    if (isWaiting) await received;
    else await expect(received).rejects.toThrow('no data arrived for 2000 ms');
    expect(words).toBe(isWaiting ? 6 : 0);
  },
);

test('another frame than the one due is a mismatch', async () => {
  between = createServer((socket) => {
    socket.on('error', () => undefined);
    const payload = vector.subarray(0, 8);
    socket.on('data', () => {
      socket.write(encodeHeader({ status: 'data', term: 3, number: 4, begin: 0, length: 8 }, payload));
      socket.write(payload);
    });
  });
  await new Promise<void>((resolve) => between?.listen(0, '127.0.0.1', resolve));
  const peer = { address: `127.0.0.1:${(between.address() as AddressInfo).port}`, role: 'worker' as const, secret };
  await expect(receiveAll(receiverWith(), peer)).rejects.toMatchObject({
    code: 'mismatch',
    message: expect.stringMatching(/8 bytes at byte 0 of 3.4 came where byte 0 of \d+ of 3.5 was due/) as string,
  });
});

test('an aborted transfer ends with the reason, and writes nothing from then on', async () => {
  const peer = await serve();
  const abort = new AbortController();
  const relayed = await relay(peer, (_, at) => at > 1_000_000 && abort.abort(new Error('enough')));
  await expect(receiveAll(receiverWith(), relayed, { ...options, signal: abort.signal })).rejects.toThrow('enough');
});

test('a vector of less than a frame comes as a piece, and the sender may close the connection between two', async () => {
  const small = vector.subarray(0, 100);
  const peer = await serve(source({ bytes: small, stillValid: () => true }));
  let ends: Socket | undefined;
  const relayed = await relay(peer, (_bytes, _at, socket) => (ends = socket));
  const receiver = receiverWith();
  for (let vectors = 0; vectors < 3; vectors++) {
    const pieces = [];
    for await (const { bytes } of receiver.receive(relayed, request, { ...options, byteLength: 100 })) {
      pieces.push(bytes.slice());
    }
    expect(pieces).toEqual([small.slice()]);
    ends?.destroy();
  }
});

/** Say something to the server, a worker's; resolves with how many bytes came back before it hung up. */
async function say(address: string, bytes: Uint8Array, { identity }: RpcSecurity = plain): Promise<number> {
  const [host, port] = address.split(':');
  const { authority: ca, certificate: cert, key } = identity ?? {};
  const place = { host, port: Number(port) };
  const secure = { ...place, ca, cert, key, servername: roleName('worker'), ALPNProtocols: [streamProtocol] };
  const socket = identity ? connectTls(secure) : connect(place);
  let received = 0;
  socket.on('data', ({ byteLength }: Buffer) => void (received += byteLength));
  socket.on('error', () => undefined);
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return received;
}

/** Bytes that mean nothing, but for the first. */
const noiseAfter = (first: number) =>
  Uint8Array.from({ length: 500 }, (_, i) => (i === 0 ? first : Math.imul(i, 0x9e3779b1) >>> 24));

test('strangers get nothing and disturb nothing', async () => {
  const peer = await serve();
  const asked = { ...request, silenceMs: 10_000 };
  const valid = encodeRequest({ ...asked, secret });
  const damaged = valid.slice();
  damaged[41] ^= 1;
  const wrong = encodeRequest({ ...asked, secret: randomStreamSecret() });
  const noise = noiseAfter(valid[0]);
  const transfer = receiveAll(receiverWith(), peer);
  const heard = [];
  const more = Buffer.concat([valid, noise.subarray(0, 1)]);
  for (const bytes of [wrong, damaged, more, noise]) heard.push(await say(peer.address, bytes));
  expect(heard).toEqual([0, 0, 0, 0]);
  expect(refusals()).toEqual([
    'a request on the bulk stream showed no valid secret',
    'the bulk stream carried no request',
    'the bulk stream carried more than a request',
  ]);
  expect(await transfer).toBe(true);
});

test('with TLS a wrong role, a foreign certificate and a plain caller get nothing, even with the secret', async () => {
  const peer = await serve(source(), as('worker'));
  for (const security of [as('worker'), as('coordinator', 'theirs'), plain]) {
    const error = await receiveAll(receiverWith(security), peer).catch((error: unknown) => error);
    expect(isUnanswered(error)).toBe(true);
  }
  expect(refusals()).toContain('this is for the role coordinator, the certificate is for worker');
  expect(await receiveAll(receiverWith(as('coordinator')), peer)).toBe(true);
});

test('with TLS random bytes, a wrong secret and a request that was good once get nothing, and disturb no transfer', async () => {
  let known = secret;
  const answer = { bytes: vector, stillValid: () => true };
  const peer = await serve((asked) => (isSecret(asked.secret, known) ? answer : 'stranger'), as('worker'));
  expect(await receiveAll(receiverWith(as('coordinator')), peer)).toBe(true);
  const good = encodeRequest({ ...request, silenceMs: 10_000, secret });
  known = randomStreamSecret();
  const wrong = encodeRequest({ ...request, silenceMs: 10_000, secret: randomStreamSecret() });
  const transfer = receiveAll(receiverWith(as('coordinator')), { ...peer, secret: known });
  const heard = [];
  for (const bytes of [good, wrong, noiseAfter(good[0]), noiseAfter(80)])
    heard.push(await say(peer.address, bytes, as('coordinator')));
  expect(heard).toEqual([0, 0, 0, 0]);
  expect(new Set(refusals())).toEqual(
    new Set(['a request on the bulk stream showed no valid secret', 'the bulk stream carried no request']),
  );
  expect(await transfer).toBe(true);
});

test('a receiver refuses a sender of another role', async () => {
  const peer = await serve(source(), as('data-loader'));
  await expect(receiveAll(receiverWith(as('coordinator')), peer)).rejects.toThrow(
    /does not match certificate's altnames/,
  );
});

test('a header has the size that the protocol states', () => {
  const header = { status: 'gone', term: 1, number: 2, begin: 3, length: 0 } as const;
  expect(encodeHeader(header, new Uint8Array()).byteLength).toBe(headerBytes);
});
