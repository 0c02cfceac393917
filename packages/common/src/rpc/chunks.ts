import { status, type ClientReadableStream, type ServerWritableStream } from '@grpc/grpc-js';
import type { Chunk } from '../generated/fourfold/v1/Chunk.js';
import type { Chunk__Output } from '../generated/fourfold/v1/Chunk.js';
import { FourfoldError } from '../errors.js';
import { chunkBytes } from './wire.js';

/**
 * End a server's side of a call with a status and its reason. grpc-js sends the status of an error that the call emits; a
 * call that is destroyed sends none, and its client would wait.
 */
export function endWithStatus(call: Pick<NodeJS.EventEmitter, 'emit'>, code: status, details: string): void {
  call.emit('error', Object.assign(new Error(details), { code, details }));
}

/**
 * Send a wire vector from byte `begin` on, as fast as the receiver takes it. `stillValid` is asked before each chunk: once it
 * is false the stream ends with FAILED_PRECONDITION, since the bytes are about to change.
 */
export async function sendVector<Request>(
  call: ServerWritableStream<Request, Chunk>,
  bytes: Uint8Array,
  begin: number,
  stillValid: () => boolean,
): Promise<void> {
  for (let at = begin; at < bytes.byteLength && !call.cancelled; at += chunkBytes) {
    if (!stillValid()) {
      endWithStatus(call, status.FAILED_PRECONDITION, 'this version is not there any more');
      return;
    }
    // One at a time: a chunk that waits for another to leave would be copied only then, when the bytes may have changed.
    await written(call, { begin: at, data: bytes.subarray(at, at + chunkBytes) });
  }
  call.end();
}

/** Write a chunk; resolves when the call has sent it, or takes nothing any more. */
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
 * The chunks of a wire vector as they come, each checked once. The stream is read no faster than its chunks are taken. Throws
 * `mismatch` on a chunk that is not the next one or an end that comes too early, `unavailable` when none comes in time or
 * the stream breaks.
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
      const next = await within(silenceMs, chunks.next());
      if (next.done) throw new FourfoldError('mismatch', `the transfer ended at byte ${at} of ${byteLength}`);
      const bytes = checkChunk(next.value as Chunk__Output, at, byteLength);
      yield { begin: at, bytes };
      at += bytes.byteLength;
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    // What comes of the stream after this is of no interest.
    call.on('error', () => undefined);
    // A transfer that is complete ends by itself. Node's HTTP/2 server cuts a client off that resets 33 streams a second.
    if (at < byteLength) call.cancel();
    else chunks.next().catch(() => undefined);
  }
}

async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const late = () => reject(new FourfoldError('unavailable', `no byte came for ${timeoutMs} ms`));
    timer = setTimeout(late, timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Where a vector may be cut: no element of whatever encoding goes over a multiple of it, counted from its section. */
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
