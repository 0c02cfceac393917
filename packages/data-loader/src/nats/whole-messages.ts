import { takeMemory } from './message-memory.js';

/*
 * A socket gives a long message in pieces: TLS in records of at most 16 KiB. NATS's client copies what it has of a message several times
 * while that grows, but passes on without a copy a message that comes in one piece. So the pieces of a message are put together first.
 */

const lineEnd = 0x0a;
/** A longer line is none of NATS's; its client refuses it. */
const longestLineBytes = 4096;
/** A longer message is no batch and comes as it is. */
const longestMessageBytes = 64 * 2 ** 20;

/** Takes the pieces of a connection and returns those for NATS's client. Their bytes do not change any more. */
export type Gather = (piece: Uint8Array) => Uint8Array[];

/** A function that puts the messages of one connection together. */
export function createGather(): Gather {
  /** The first `filled` bytes of a message that has more: all of them, or its line as far as it came. */
  let begun: { memory: Uint8Array; filled: number } | undefined;
  const take = (piece: Uint8Array): Uint8Array[] => {
    const { wholeBytes, nextBytes } = measureMessages(piece);
    const rest = piece.subarray(wholeBytes);
    if (rest.length > 0) {
      const memory = takeMemory(Math.max(nextBytes, rest.length));
      memory.set(rest);
      begun = { memory, filled: rest.length };
    }
    return wholeBytes > 0 ? [piece.subarray(0, wholeBytes)] : [];
  };
  return (piece) => {
    if (!begun) return take(piece);
    const { memory, filled } = begun;
    const missing = memory.length - filled;
    if (missing === 0) {
      begun = undefined;
      return take(Buffer.concat([memory, piece]));
    }
    memory.set(piece.subarray(0, missing), filled);
    begun.filled += Math.min(missing, piece.length);
    if (piece.length < missing) return [];
    begun = undefined;
    return [memory, ...take(piece.subarray(missing))];
  };
}

/** How many of these bytes are whole messages, and how many the message after them has: 0 if its line has not ended. */
export function measureMessages(bytes: Uint8Array): { wholeBytes: number; nextBytes: number } {
  let wholeBytes = 0;
  while (wholeBytes < bytes.length) {
    const end = bytes.indexOf(lineEnd, wholeBytes);
    if (end < 0 && bytes.length - wholeBytes <= longestLineBytes) return { wholeBytes, nextBytes: 0 };
    if (end < 0) break;
    const nextBytes = end + 1 - wholeBytes + contentBytes(bytes.subarray(wholeBytes, end));
    if (wholeBytes + nextBytes > bytes.length) return { wholeBytes, nextBytes };
    wholeBytes += nextBytes;
  }
  return { wholeBytes: bytes.length, nextBytes: 0 };
}

/** Bytes after the line of a message (`MSG` or `HMSG`), which ends with their number, and the end of line after them. */
function contentBytes(line: Uint8Array): number {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');
  const size = Number(/^H?MSG .* (\d+)\r$/.exec(text)?.[1] ?? NaN);
  return size <= longestMessageBytes ? size + 2 : 0;
}
