import type { Chunk, Chunk__Output } from '../generated/fourfold/v1/Chunk.js';

/*
 * Chunks on the wire: the protobuf message `Chunk`. It is written by hand, and read by hand if it has the form written here, since protobufjs
 * would copy the data once more on each side. The length always takes the five bytes that protobuf allows, so that after gRPC's own five
 * bytes the data begins at a multiple of 8 in its buffer: V8 takes three times as long to copy from or to unaligned shared memory.
 */

const beginTag = (1 << 3) | 5;
const dataTag = (2 << 3) | 2;
const headerBytes = 11;

/** Serialize a chunk for gRPC. The data is copied once, directly into gRPC's frame, before `call.write` returns. */
export function serializeChunk({ begin, data }: Chunk): Buffer {
  const bytes = data as Uint8Array;
  const message: Pick<Buffer, 'byteLength' | 'copy'> = {
    byteLength: headerBytes + bytes.byteLength,
    copy(target, at = 0) {
      const view = new DataView(target.buffer, target.byteOffset + at, headerBytes);
      view.setUint8(0, beginTag);
      view.setUint32(1, Number(begin), true);
      view.setUint8(5, dataTag);
      for (let i = 0; i < 5; i++) {
        const more = i < 4 ? 0x80 : 0;
        view.setUint8(6 + i, (Math.floor(bytes.byteLength / 2 ** (7 * i)) & 0x7f) | more);
      }
      target.set(bytes, at + headerBytes);
      return headerBytes + bytes.byteLength;
    },
  };
  // grpc-js uses nothing else of a serialized response.
  return message as Buffer;
}

/** Stands for bytes that are not a chunk; it is never the expected one. */
const noChunk: Chunk__Output = { begin: -1, data: Buffer.alloc(0) };

/**
 * Read a chunk. If `serializeChunk` wrote it, its data is a view; any other encoding is read by `decode`, protobuf's own reader.
 */
export function deserializeChunk(message: Buffer, decode: (message: Buffer) => object): Chunk__Output {
  const own = readOwnForm(message);
  if (own) return own;
  try {
    return decode(message) as Chunk__Output;
  } catch {
    return noChunk;
  }
}

function readOwnForm(message: Buffer): Chunk__Output | undefined {
  if (message.length < headerBytes || message[0] !== beginTag || message[5] !== dataTag) return undefined;
  let length = 0;
  for (let i = 0; i < 5; i++) {
    // A shorter varint ends before its fifth byte.
    if (message[6 + i] >= 0x80 !== i < 4) return undefined;
    length += (message[6 + i] & 0x7f) * 2 ** (7 * i);
  }
  if (headerBytes + length !== message.length) return undefined;
  return { begin: message.readUInt32LE(1), data: message.subarray(headerBytes) };
}
