import { crc32 } from 'node:zlib';
import { createPayloadCheck } from './payload-check.js';

/*
 * The bytes of the bulk stream, little-endian. A receiver sends a request; the sender answers with frames until the vector ends, or with
 * one frame that says why there is nothing (more). Requests and headers are protected by a CRC-32, which in a header covers the payload's
 * check value; the magic's last character is the protocol's version.
 */

/** The protocol's name in TLS's negotiation (ALPN). */
export const streamProtocol = 'fourfold-bulk/5';

/** What a receiver asks for. */
export const streamKinds = {
  gradient: 1,
  generator: 2,
  discriminator: 3,
  evaluated: 4,
  generatorDeltas: 5,
  discriminatorDeltas: 6,
  sum: 7,
} as const;
export type StreamKind = keyof typeof streamKinds;

export interface StreamRequest {
  kind: StreamKind;
  /** Given to the receiver over the control stream. */
  secret: Uint8Array;
  term: number;
  /** A gradient's token, a sum's last token, or a version of parameters. */
  number: number;
  /** First byte wanted. */
  begin: number;
  /** How long the receiver waits for bytes. */
  silenceMs: number;
  /** Of a sum: the workers that it passes (`route.ts`). Empty for everything else. */
  route?: Uint8Array;
}

/**
 * What a frame is: a stretch of the vector, or the reason why no more follows. `lost`: the worker whose number is in `begin` did not
 * send its part of a sum. `waiting`: the sender is alive, and itself waits for the stretch that begins there.
 */
export const frameStatuses = { data: 0, absent: 1, gone: 2, lost: 3, waiting: 4 } as const;
type FrameStatus = keyof typeof frameStatuses;

export interface FrameHeader {
  status: FrameStatus;
  term: number;
  number: number;
  begin: number;
  /** Bytes that follow. */
  length: number;
}

export const secretBytes = 16;
/** Of a request without its route. */
export const requestBytes = 60;
const routeBytesMax = 256 << 10;
export const headerBytes = 40;
/** Bytes of every frame's payload but the last's: few enough to stay in a processor's cache. */
export const frameBytes = 256 << 10;

const magicOf = (name: string) => Buffer.from(name, 'latin1').readUInt32LE(0);
const requestMagic = magicOf('FBQ5');
const frameMagic = magicOf('FBA5');

/** Whether a connection whose first byte this is speaks this protocol: HTTP/2 begins with a P, TLS with 22. */
export const isStreamByte = (first: number): boolean => first === (requestMagic & 0xff);

export function encodeRequest({
  kind,
  secret,
  term,
  number,
  begin,
  silenceMs,
  route = noRoute,
}: StreamRequest): Uint8Array {
  const bytes = new Uint8Array(requestBytes + route.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, requestMagic, true);
  view.setUint32(4, streamKinds[kind], true);
  bytes.set(secret.subarray(0, secretBytes), 8);
  view.setFloat64(24, term, true);
  view.setFloat64(32, number, true);
  view.setFloat64(40, begin, true);
  view.setUint32(48, route.byteLength, true);
  view.setUint32(52, silenceMs, true);
  bytes.set(route, requestBytes);
  view.setUint32(56, requestCrc(bytes), true);
  return bytes;
}

/** How many bytes a request has that begins with these; undefined while that cannot be said. Infinite for what is no request. */
export function requestLength(bytes: Uint8Array): number | undefined {
  if (bytes.byteLength < requestBytes) return undefined;
  const routeBytes = viewOf(bytes).getUint32(48, true);
  return routeBytes <= routeBytesMax ? requestBytes + routeBytes : Infinity;
}

/** Read a request, all of it; undefined if the bytes are not one. */
export function decodeRequest(bytes: Uint8Array): StreamRequest | undefined {
  const view = viewOf(bytes);
  const kind = nameOf(streamKinds, view.getUint32(4, true));
  const [term, number, begin] = [24, 32, 40].map((at) => view.getFloat64(at, true));
  const isIntact = view.getUint32(0, true) === requestMagic && view.getUint32(56, true) === requestCrc(bytes);
  if (!isIntact || !kind || ![term, number, begin].every(isNatural)) return undefined;
  const secret = bytes.slice(8, 8 + secretBytes);
  return { kind, secret, term, number, begin, silenceMs: view.getUint32(52, true), route: bytes.slice(requestBytes) };
}

export function encodeHeader({ status, term, number, begin, length }: FrameHeader, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, frameMagic, true);
  view.setUint32(4, frameStatuses[status], true);
  view.setFloat64(8, term, true);
  view.setFloat64(16, number, true);
  view.setFloat64(24, begin, true);
  view.setUint32(32, length, true);
  view.setUint32(36, frameCrc(bytes, payload), true);
  return bytes;
}

/** Read a frame's header; undefined if the bytes are not one. Whether they are intact shows with the payload (`isIntact`). */
export function decodeHeader(bytes: Uint8Array): FrameHeader | undefined {
  const view = viewOf(bytes);
  const status = nameOf(frameStatuses, view.getUint32(4, true));
  const [term, number, begin] = [8, 16, 24].map((at) => view.getFloat64(at, true));
  if (view.getUint32(0, true) !== frameMagic || !status) return undefined;
  return { status, term, number, begin, length: view.getUint32(32, true) };
}

/** Whether a frame arrived as it was sent. */
export const isIntact = (header: Uint8Array, payload: Uint8Array): boolean =>
  viewOf(header).getUint32(36, true) === frameCrc(header, payload);

const checkOf = createPayloadCheck(frameBytes);
const frameCrc = (header: Uint8Array, payload: Uint8Array) => crc32(header.subarray(0, 36), checkOf(payload));
const requestCrc = (bytes: Uint8Array) => crc32(bytes.subarray(requestBytes), crc32(bytes.subarray(0, 56)));
const noRoute = new Uint8Array();
const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => new DataView(buffer, byteOffset, byteLength);
const isNatural = (value: number) => Number.isSafeInteger(value) && value >= 0;
const nameOf = <Names extends Record<string, number>>(names: Names, value: number) =>
  Object.keys(names).find((name) => names[name] === value) as keyof Names | undefined;
