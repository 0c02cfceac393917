import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { randomStream } from '@fourfold/common';

/*
 * What may arrive at an open port: nonsense, and the beginnings of valid requests. All of it from a seed.
 */

export interface NoiseOptions {
  /** How long it lasts at least. */
  seconds: number;
  /** It goes on until each address has taken so many connections. */
  least?: number;
  seed: number;
  /** Connections a second to each address, at most. */
  rate?: number;
  /** Aborted to stop earlier. */
  signal?: AbortSignal;
}

/** Connections to one address: accepted ones, and refused ones, where nobody listens. */
export interface Noise {
  taken: number;
  refused: number;
}

type Random = ReturnType<typeof randomStream>;

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** How long a connection stays open, for the server to react. */
const openMs = 300;

/**
 * Open connections to `addresses` (host:port, 127.0.0.1 alone), several a second to each, and send what a fourfold
 * process never would. Resolves after `seconds`, and when each address has taken `least`.
 */
export async function throwNoise(
  addresses: readonly string[],
  { seconds, least = 0, seed, rate = 20, signal }: NoiseOptions,
): Promise<Record<string, Noise>> {
  const endMs = performance.now() + seconds * 1000;
  const entries = addresses.map(async (address, i): Promise<[string, Noise]> => {
    const port = portOf(address);
    const random = randomStream('noise', seed, i);
    const noise: Noise = { taken: 0, refused: 0 };
    const open: Promise<void>[] = [];
    while ((performance.now() < endMs || noise.taken < least) && !signal?.aborted) {
      const make = makers[random.below(makers.length)];
      open.push(sendOnce(port, make(random)).then((taken) => void noise[taken ? 'taken' : 'refused']++));
      await delay(1000 / rate);
    }
    await Promise.all(open);
    return [address, noise];
  });
  return Object.fromEntries(await Promise.all(entries));
}

function portOf(address: string): number {
  const [host, port] = address.split(':');
  if (host !== '127.0.0.1') throw new Error(`noise is for this machine alone, not for ${address}`);
  return Number(port);
}

/** Connect, send, wait a moment, and go without a goodbye. Resolves with whether anyone listens. */
async function sendOnce(port: number, bytes: Buffer): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  let isTaken = false;
  socket.once('connect', () => {
    isTaken = true;
    socket.write(bytes);
  });
  // The server may hang up in the middle.
  socket.on('error', () => undefined);
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await Promise.race([closed, delay(openMs)]);
  if (!socket.destroyed) socket.resetAndDestroy();
  return isTaken;
}

const makers: ((random: Random) => Buffer)[] = [
  (random) => bytesOf(random, 1 + random.below(4096)),
  // The beginning of HTTP/2, then nonsense.
  (random) => Buffer.concat([preface, bytesOf(random, random.below(512))]),
  // A valid connection, then a frame that is shorter than its length says.
  (random) => {
    const frame = frameOf(random.below(12), random.below(256), random.below(8), bytesOf(random, 200));
    return Buffer.concat([preface, settings, frame.subarray(0, random.below(frame.length))]);
  },
  // Frames of any kind with any flags, whole.
  (random) =>
    Buffer.concat([
      preface,
      settings,
      ...Array.from({ length: 8 }, () =>
        frameOf(random.below(12), random.below(256), random.below(4), bytesOf(random, random.below(64))),
      ),
    ]),
  // Calls of fourfold's methods with a nonsensical or truncated message.
  (random) => {
    const message = bytesOf(random, 1 + random.below(300));
    return callOf(methods[random.below(methods.length)], message, message.length);
  },
  (random) => {
    const message = bytesOf(random, 1 + random.below(300));
    return callOf(methods[random.below(methods.length)], message, message.length + random.below(1000));
  },
  // A message that claims to be larger than any may be.
  (random) => callOf(methods[random.below(methods.length)], bytesOf(random, 100), 0xffff_ffff),
  // An empty message, which is valid protobuf.
  (random) => callOf(methods[random.below(methods.length)], Buffer.alloc(0), 0),
  // A Join of another run, whose Register may be truncated in the middle of a field.
  (random) => {
    const cut = register.subarray(0, 2 + random.below(register.length - 1));
    return callOf(methods[0], cut, cut.length);
  },
  // The beginning of TLS.
  (random) => Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), bytesOf(random, random.below(400))]),
  // HTTP/1, for servers that speak it: an unfinished request, an invalid one, and one for a path that does not exist.
  () => Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\nx-header: '),
  (random) =>
    Buffer.from(`GET /${bytesOf(random, 40).toString('hex')}/%00../../etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n`),
  (random) => Buffer.concat([Buffer.from('POST / HTTP/1.1\r\ncontent-length: 99\r\n\r\n'), bytesOf(random, 50)]),
  // Requests of fourfold, Prometheus and S3 clients, truncated.
  (random) => cutOff('GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: text/plain\r\n\r\n', random),
  (random) => cutOff('PUT /bucket/object?partNumber=1 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n12345', random),
  // The beginning of NATS.
  (random) => cutOff('CONNECT {"verbose":false,"user":"a","pass":"b"}\r\nPING\r\n', random),
  (random) => Buffer.concat([Buffer.from('PUB fourfold.x 100\r\n'), bytesOf(random, random.below(99))]),
];

const methods = [
  '/fourfold.v1.Coordinator/Join',
  '/fourfold.v1.Coordinator/PullParameters',
  '/fourfold.v1.Coordinator/Watch',
  '/fourfold.v1.Worker/PullGradient',
];

/** WorkerMessage { register: { protocol_version: 2, run: "noise", exchange_address: "127.0.0.1:1" } } on the wire. */
const register = Buffer.concat([
  Buffer.from([10, 22, 8, 2, 18, 5]),
  Buffer.from('noise'),
  Buffer.from([34, 11]),
  Buffer.from('127.0.0.1:1'),
]);

const [data, headers] = [0, 1];
const [endStream, endHeaders] = [1, 4];
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

function frameOf(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A gRPC call with one message that claims to be `length` bytes long. */
function callOf(path: string, message: Buffer, length: number): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  const fields = Object.entries({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'localhost',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  // HPACK: literal fields without indexing, with new names; all are shorter than 127 bytes.
  const block = Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]),
  );
  return Buffer.concat([
    preface,
    settings,
    frameOf(headers, endHeaders, 1, block),
    frameOf(data, endStream, 1, Buffer.concat([head, message])),
  ]);
}

const cutOff = (text: string, random: Random): Buffer => Buffer.from(text).subarray(0, 1 + random.below(text.length));

const bytesOf = (random: Random, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => random.below(256)));
