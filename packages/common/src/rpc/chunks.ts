import { status, type ClientReadableStream, type ServerWritableStream } from '@grpc/grpc-js';
import type { Chunk } from '../generated/fourfold/v1/Chunk.js';
import type { Chunk__Output } from '../generated/fourfold/v1/Chunk.js';
import { FourfoldError } from '../errors.js';
import { chunkElements } from './wire.js';

/**
 * End a server's side of a call with a status and its reason. grpc-js sends the status of an error that the call emits; a
 * call that is destroyed sends none, and its client would wait.
 */
export function endWithStatus(call: Pick<NodeJS.EventEmitter, 'emit'>, code: status, details: string): void {
  call.emit('error', Object.assign(new Error(details), { code, details }));
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
      endWithStatus(call, status.FAILED_PRECONDITION, 'this version is not there any more');
      return;
    }
    const count = Math.min(chunkElements, vector.length - at);
    // A copy: the chunk leaves later than this call, and the vector may change by then.
    const data = Buffer.from(new Uint8Array(vector.buffer, vector.byteOffset + at * 4, count * 4));
    if (!call.write({ encoding: 'F32', begin: at, count, data })) await drained(call);
  }
  call.end();
}

/** Resolves when the call takes more, or takes nothing any more. */
function drained(call: Pick<NodeJS.EventEmitter, 'on' | 'off'>): Promise<void> {
  return new Promise((resolve) => {
    const events = ['drain', 'cancelled', 'error', 'close'];
    const done = () => {
      for (const event of events) call.off(event, done);
      resolve();
    };
    for (const event of events) call.on(event, done);
  });
}

export interface ReceiveOptions {
  /** First element wanted. */
  begin: number;
  /** Elements of the whole vector. */
  length: number;
  /** How long to wait for a chunk. */
  silenceMs: number;
  /** Cancels the transfer. */
  signal: AbortSignal;
}

/**
 * The chunks of a vector as they come, each checked once. The stream is read no faster than its chunks are taken. Throws
 * `mismatch` on a chunk that is not the next one, `unavailable` when none comes in time or the stream breaks.
 */
export async function* receiveVector(
  call: ClientReadableStream<Chunk__Output>,
  { begin, length, silenceMs, signal }: ReceiveOptions,
): AsyncGenerator<{ begin: number; bytes: Uint8Array }> {
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  const chunks = call[Symbol.asyncIterator]();
  let at = begin;
  try {
    while (at < length) {
      const next = await within(silenceMs, chunks.next());
      if (next.done) throw new FourfoldError('unavailable', `the transfer ended at element ${at} of ${length}`);
      const bytes = checkChunk(next.value as Chunk__Output, at, length);
      yield { begin: at, bytes };
      at += bytes.byteLength / Float32Array.BYTES_PER_ELEMENT;
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    // What comes of the stream after this is of no interest.
    call.on('error', () => undefined);
    // A transfer that is complete ends by itself. Node's HTTP/2 server cuts a client off that resets 33 streams a second.
    if (at < length) call.cancel();
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

function checkChunk(chunk: Chunk__Output, expectedBegin: number, length: number): Uint8Array {
  const { begin, count, data, encoding } = chunk;
  const isNext = begin === expectedBegin && count > 0 && begin + count <= length;
  if (encoding !== 'F32' || !isNext || data.byteLength !== count * 4) {
    throw new FourfoldError(
      'mismatch',
      `a chunk of ${data.byteLength} bytes in ${encoding} for elements ${begin}..${begin + count} came where element ${expectedBegin} of ${length} was due`,
    );
  }
  return data;
}
