import { once } from 'node:events';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import type { Chunk } from '../generated/fourfold/v1/Chunk.js';
import type { Chunk__Output } from '../generated/fourfold/v1/Chunk.js';
import { FourfoldError } from '../errors.js';
import { chunkElements } from './wire.js';

/** A gRPC status with a reason, as `call.destroy` takes it. */
export function rpcError(code: status, details: string): Error {
  return Object.assign(new Error(details), { code, details });
}

/**
 * Send `vector` from element `begin` on, as fast as the receiver takes it. `stillValid` is asked before each chunk: once
 * it is false the stream ends with FAILED_PRECONDITION, since the bytes behind `vector` are about to change.
 */
export async function sendVector<Request>(
  call: ServerWritableStream<Request, Chunk>,
  vector: Float32Array,
  begin: number,
  stillValid: () => boolean,
): Promise<void> {
  for (let at = begin; at < vector.length && !call.cancelled; at += chunkElements) {
    if (!stillValid()) {
      call.destroy(rpcError(status.FAILED_PRECONDITION, 'this version is not there any more'));
      return;
    }
    const count = Math.min(chunkElements, vector.length - at);
    // A copy: the chunk leaves later than this call, and the vector may change by then.
    const data = Buffer.from(new Uint8Array(vector.buffer, vector.byteOffset + at * 4, count * 4));
    if (!call.write({ encoding: 'F32', begin: at, count, data }))
      await Promise.race([once(call, 'drain'), once(call, 'close')]);
  }
  call.end();
}

/** Check a chunk from outside against where the transfer stands. Throws `mismatch`. */
export function checkChunk(chunk: Chunk__Output, expectedBegin: number, length: number): Uint8Array {
  const { begin, count, data, encoding } = chunk;
  if (encoding !== 'F32' || begin !== expectedBegin || begin + count > length || data.byteLength !== count * 4) {
    throw new FourfoldError(
      'mismatch',
      `a chunk of ${data.byteLength} bytes in ${encoding} for elements ${begin}..${begin + count} came where element ${expectedBegin} of ${length} was due`,
    );
  }
  return data;
}
