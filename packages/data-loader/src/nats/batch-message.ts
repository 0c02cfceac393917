import { crc32 } from 'node:zlib';
import { z } from '@fourfold/common/zod';
import { type ErrorCode, exitCodes, FourfoldError } from '@fourfold/common';
import { batchIn, batchRoom, type Batch } from '../batches/batch.js';
import { batchProtocolVersion, type BatchPlace } from './protocol.js';

/*
 * An answer to a request for a batch: numbered parts that fit NATS's messages, or one refusal. All numbers are
 * little-endian. A part: `FB`, kind 1 and version, a byte each; iteration, replica, count, crop, part, parts and the CRC-32 of
 * the whole body as uint32; then its share of the body, which is LR, then HR. A refusal: `FB`, kind 2 and version, then JSON.
 */

const mark = [0x46, 0x42];
const partKind = 1;
const refusalKind = 2;
const markBytes = 4;
const headerBytes = 32;
/** Room before a message, for NATS's line. */
const lineRoomBytes = batchRoom.beforeBytes - headerBytes;
const largestRefusalBytes = 4096;

/**
 * Split a batch into messages of at most `maxPayloadBytes`, each with `batchRoom` around it. A batch that fits one message is not copied:
 * it becomes the message. Throws `invalid` if the limit leaves no room for pixels.
 */
export function encodeBatch(place: BatchPlace, batch: Batch, maxPayloadBytes: number): Uint8Array[] {
  const { count, crop, hr, lr } = batch;
  const share = maxPayloadBytes - headerBytes;
  if (share < 1)
    throw new FourfoldError('invalid', `NATS’s max_payload of ${maxPayloadBytes} bytes is too small for a batch`);
  const bodyBytes = lr.length + hr.length;
  const parts = Math.ceil(bodyBytes / share);
  const crc = crc32(hr, crc32(lr));
  const whole = parts === 1 ? messageOf(batch) : undefined;
  if (whole) {
    writeHeader(whole, [place.iteration, place.replica, count, crop, 0, 1, crc]);
    return [whole];
  }
  return Array.from({ length: parts }, (_, part) => {
    const begin = part * share;
    const size = Math.min(share, bodyBytes - begin);
    const message = createMessage(headerBytes + size);
    writeHeader(message, [place.iteration, place.replica, count, crop, part, parts, crc]);
    copyRange(message.subarray(headerBytes), [lr, hr], begin);
    return message;
  });
}

/** The header and the pixels of a batch that was made by `createBatch`, without a copy; undefined for another. */
function messageOf({ hr, lr }: Batch): Uint8Array | undefined {
  const { buffer, byteOffset } = lr;
  const sizeBytes = headerBytes + lr.length + hr.length;
  const isOne = hr.buffer === buffer && hr.byteOffset === byteOffset + lr.length;
  const end = byteOffset + lr.length + hr.length;
  const hasRoom = byteOffset >= batchRoom.beforeBytes && buffer.byteLength >= end + batchRoom.afterBytes;
  return isOne && hasRoom ? new Uint8Array(buffer, byteOffset - headerBytes, sizeBytes) : undefined;
}

const createMessage = (sizeBytes: number): Uint8Array =>
  new Uint8Array(lineRoomBytes + sizeBytes + batchRoom.afterBytes).subarray(lineRoomBytes, lineRoomBytes + sizeBytes);

const refusalSchema = z.object({
  /** `busy`: ask another. `failed`: a fault of this data-loader. Else a `FourfoldError`'s code. */
  code: z.enum(['busy', 'failed', ...(Object.keys(exitCodes) as ErrorCode[])]),
  message: z.string(),
  hint: z.string().optional(),
});
export type Refusal = z.infer<typeof refusalSchema>;

export function encodeRefusal({ code, message, hint }: Refusal): Uint8Array {
  const text = JSON.stringify({ code, message: message.slice(0, 2000), hint: hint?.slice(0, 1000) });
  return Buffer.concat([Uint8Array.of(...mark, refusalKind, batchProtocolVersion), Buffer.from(text)]);
}

/** What the messages received so far add up to. */
export type Received = { batch: Batch } | { refusal: Refusal } | undefined;

/** Puts one answer together. Messages are checked here and nowhere else. */
export interface BatchReceiver {
  /** Take the next message. Throws `mismatch` with the reason for one that does not belong; the parts then start over. */
  take(this: void, message: Uint8Array): Received;
}

/** A receiver of the batch of `place`, of `shape`'s number and side of crops. */
export function createBatchReceiver(place: BatchPlace, shape: Pick<Batch, 'count' | 'crop'>): BatchReceiver {
  const { count, crop } = shape;
  const bodyBytes = (count * crop * crop * 3 * 17) / 16;
  let body: Uint8Array | undefined;
  let next = 0;
  let filled = 0;

  const takePart = (message: Uint8Array): Received => {
    const [iteration, replica, theirCount, theirCrop, part, parts, crc] = readHeader(message);
    check(iteration === place.iteration && replica === place.replica, `it is the batch ${iteration}.${replica}`);
    check(theirCount === count && theirCrop === crop, `it has ${theirCount} crops of ${theirCrop} pixels`);
    check(part === next && part < parts, `part ${part} of ${parts} came instead of ${next}`);
    const share = message.subarray(headerBytes);
    check(filled + share.length <= bodyBytes, `it has more than ${bodyBytes} bytes`);
    // A batch that comes in one message stays in it.
    if (parts > 1) (body ??= new Uint8Array(headerBytes + bodyBytes)).set(share, headerBytes + filled);
    else body = message;
    filled += share.length;
    next++;
    if (next < parts) return undefined;
    check(filled === bodyBytes, `it ends after ${filled} of ${bodyBytes} bytes`);
    check(crc32(body.subarray(headerBytes)) === crc, 'its checksum is wrong');
    return { batch: batchIn(body, headerBytes, shape) };
  };
  return {
    take(message) {
      try {
        const kind = kindOf(message);
        return kind === refusalKind ? { refusal: parseRefusal(message) } : takePart(message);
      } catch (error) {
        body = undefined;
        next = filled = 0;
        throw error;
      }
    },
  };
}

function kindOf(message: Uint8Array): number {
  const [first, second, kind, version] = message;
  check(message.length >= markBytes && first === mark[0] && second === mark[1], 'it is not an answer to a request');
  check(version === batchProtocolVersion, `it speaks version ${version}, this program ${batchProtocolVersion}`);
  check(
    kind === refusalKind || (kind === partKind && message.length > headerBytes),
    'it holds neither a batch nor a refusal',
  );
  return kind;
}

function parseRefusal(message: Uint8Array): Refusal {
  check(message.length <= largestRefusalBytes, 'its refusal is too long');
  try {
    return refusalSchema.parse(JSON.parse(Buffer.from(message.subarray(markBytes)).toString('utf8')));
  } catch (cause) {
    throw new FourfoldError('mismatch', 'its refusal cannot be read', { cause });
  }
}

function writeHeader(message: Uint8Array, fields: number[]): void {
  message.set([...mark, partKind, batchProtocolVersion]);
  const view = new DataView(message.buffer, message.byteOffset);
  fields.forEach((value, i) => view.setUint32(markBytes + 4 * i, value, true));
}

function readHeader(message: Uint8Array): number[] {
  const view = new DataView(message.buffer, message.byteOffset, headerBytes);
  return Array.from({ length: (headerBytes - markBytes) / 4 }, (_, i) => view.getUint32(markBytes + 4 * i, true));
}

/** Fill `target` from `sources` laid end to end, from `begin` on. */
function copyRange(target: Uint8Array, sources: Uint8Array[], begin: number): void {
  let at = -begin;
  for (const source of sources) {
    const from = Math.max(0, -at);
    const to = Math.min(source.length, target.length - at);
    if (from < to) target.set(source.subarray(from, to), at + from);
    at += source.length;
  }
}

function check(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new FourfoldError('mismatch', problem);
}
