import { FourfoldError } from '@fourfold/common/basics';
import { decodeHeader, frameBytes, headerBytes, isIntact, type FrameHeader } from './frame.js';

/** The vector that a reader expects, and where it puts it. */
export interface Expected {
  term: number;
  number: number;
  /** First byte. */
  begin: number;
  /** Bytes of the whole vector. */
  byteLength: number;
  /**
   * Byte `begin` comes to its start. Memory for less than the vector is used again from its start, and has to be a multiple of
   * `frameBytes`.
   */
  memory: Uint8Array;
}

/** Reads frames from a connection directly into the memory where they belong. */
export interface FrameReader {
  /** Where the connection puts its next bytes. */
  place(): Uint8Array;
  /**
   * That many bytes are there. Returns the end of the vector so far if they complete a frame of it. Throws `mismatch` for a frame that is not
   * the one due, `unavailable` for a damaged one, and a `Refusal` of a sender
   * that has nothing (more).
   */
  took(count: number): number | undefined;
}

/** `header` has `headerBytes`; the reader begins with it. */
export function createFrameReader(expected: Expected, header: Uint8Array): FrameReader {
  const { begin, byteLength, memory } = expected;
  let end = begin;
  let filled = 0;
  let payload: Uint8Array | undefined;
  return {
    place: () => (payload ?? header).subarray(filled),
    took(count) {
      filled += count;
      if (!payload) {
        if (filled < headerBytes) return undefined;
        filled = 0;
        const length = checkHeader(header, expected, end);
        if (length === 0) return undefined;
        const at = (end - begin) % memory.byteLength;
        payload = memory.subarray(at, at + length);
        return undefined;
      }
      if (filled < payload.byteLength) return undefined;
      if (!isIntact(header, payload)) throw new FourfoldError('unavailable', `a frame at byte ${end} arrived damaged`);
      end = Math.min(byteLength, end + frameBytes);
      filled = 0;
      payload = undefined;
      return end;
    },
  };
}

/** Returns the length of the payload, 0 while the sender waits for it. */
function checkHeader(bytes: Uint8Array, { term, number, byteLength }: Expected, end: number): number {
  const found = decodeHeader(bytes);
  if (!found) throw new FourfoldError('mismatch', `bytes that are not a frame came where byte ${end} was due`);
  if (found.status !== 'data') {
    if (!isIntact(bytes, new Uint8Array())) throw new FourfoldError('unavailable', 'a header arrived damaged');
    if (found.status === 'waiting') return 0;
    throw refusalOf(found.status, found);
  }
  const length = Math.min(frameBytes, byteLength - end);
  const isDue = found.term === term && found.number === number && found.begin === end && found.length === length;
  if (isDue) return length;
  throw new FourfoldError(
    'mismatch',
    `${found.length} bytes at byte ${found.begin} of ${found.term}.${found.number} came where byte ${end} of ${byteLength} of ${term}.${number} was due`,
  );
}

/** The sender has no such vector, or no longer; or `lost`, a worker's number, has not sent its part of a sum. */
export type Refusal = Error & { refusal: Exclude<FrameHeader['status'], 'data' | 'waiting'>; lost?: number };

function refusalOf(refusal: Refusal['refusal'], { term, number, begin }: FrameHeader): Refusal {
  const details = {
    absent: `there is no ${term}.${number} from byte ${begin} on`,
    gone: `${term}.${number} is gone`,
    lost: `worker ${begin} does not send its sum`,
  };
  return Object.assign(new Error(details[refusal]), { refusal, ...(refusal === 'lost' && { lost: begin }) });
}
