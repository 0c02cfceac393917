import { status, type ClientReadableStream, type ServerWritableStream } from '@grpc/grpc-js';
import type { Chunk, Chunk__Output } from '../generated/fourfold/v1/Chunk.js';
import { FourfoldError, withDeadline } from '@fourfold/common';
import { chunkBytes } from './wire.js';

/**
 * End the server side of a call with a status and a reason. grpc-js sends the status of an error that the call emits; a destroyed call
 * sends none, and its client would wait.
 */
export function endWithStatus(call: Pick<NodeJS.EventEmitter, 'emit'>, code: status, details: string): void {
  call.emit('error', Object.assign(new Error(details), { code, details }));
}

/**
 * Send a wire vector from byte `begin` on, as fast as the receiver reads it. `stillValid` is called before each chunk; once it returns
 * false the stream ends with FAILED_PRECONDITION, since the bytes are about to change.
 */
export async function sendVector<Request>(
  call: ServerWritableStream<Request, Chunk>,
  bytes: Uint8Array,
  begin: number,
  stillValid: () => boolean,
): Promise<void> {
  for (let at = begin; at < bytes.byteLength && !call.cancelled; at += chunkBytes) {
    if (!stillValid()) {
      endWithStatus(call, status.FAILED_PRECONDITION, 'this version is gone');
      return;
    }
    // One at a time: a queued chunk is copied only when it leaves, when the bytes may have changed.
    await written(call, { begin: at, data: bytes.subarray(at, at + chunkBytes) });
  }
  call.end();
}

/** Write a chunk; resolves when the call has sent it, or accepts no more. */
function written<Request>(call: ServerWritableStream<Request, Chunk>, chunk: Chunk): Promise<void> {
  return new Promise((resolve) => {
    const events = ['cancelled', 'error', 'close'];
    const done = () => {
      for (const event of events) call.off(event, done);
      resolve();
    };
    for (const event of events) call.on(event, done);
    call.write(chunk, done);
  });
}

export interface ReceiveOptions {
  /** First byte wanted. */
  begin: number;
  /** Bytes of the whole vector. */
  byteLength: number;
  /** How long to wait for a chunk. */
  silenceMs: number;
  /** Cancels the transfer. */
  signal: AbortSignal;
}

/**
 * The chunks of a wire vector as they arrive, each checked once. The stream is read no faster than its chunks are consumed. Throws
 * `mismatch` on an unexpected chunk or an early end, `unavailable` if no chunk arrives in time or the stream breaks.
 */
export async function* receiveVector(
  call: ClientReadableStream<Chunk__Output>,
  { begin, byteLength, silenceMs, signal }: ReceiveOptions,
): AsyncGenerator<{ begin: number; bytes: Uint8Array }> {
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  const chunks = call[Symbol.asyncIterator]();
  let at = begin;
  try {
    while (at < byteLength) {
      const next = await withDeadline(chunks.next(), silenceMs, () => {
        throw new FourfoldError('unavailable', `no data arrived for ${silenceMs} ms`);
      });
      if (next.done) throw new FourfoldError('mismatch', `the transfer ended at byte ${at} of ${byteLength}`);
      const bytes = checkChunk(next.value as Chunk__Output, at, byteLength);
      yield { begin: at, bytes };
      at += bytes.byteLength;
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    // Later errors of the stream do not matter.
    call.on('error', () => undefined);
    // A complete transfer is not cancelled: Node's HTTP/2 server cuts off a client that resets 33 streams a second.
    if (at < byteLength) call.cancel();
    else chunks.next().catch(() => undefined);
  }
}

/** A vector may be cut at multiples of this, counted from its section: no element of any encoding crosses them. */
const granuleBytes = 4;

function checkChunk({ begin, data }: Chunk__Output, expectedBegin: number, byteLength: number): Uint8Array {
  const end = begin + data.byteLength;
  const isNext = begin === expectedBegin && data.byteLength > 0 && end <= byteLength;
  if (!isNext || data.byteLength % granuleBytes !== 0) {
    throw new FourfoldError(
      'mismatch',
      `a chunk of ${data.byteLength} bytes at byte ${begin} came where byte ${expectedBegin} of ${byteLength} was due`,
    );
  }
  return data;
}
