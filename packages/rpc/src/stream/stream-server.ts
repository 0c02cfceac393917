import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  decodeRequest,
  encodeHeader,
  frameBytes,
  requestLength,
  type FrameHeader,
  type StreamRequest,
} from './frame.js';
import { lostWorker } from './receiver.js';

/** A wire vector in this process. Once it is no longer valid its bytes may change. */
export interface StreamedVector {
  bytes: Uint8Array;
  stillValid: () => boolean;
  /** For a vector that several receive: the headers of the frames that were sent before, by first byte. Their check takes longest. */
  headers?: Map<number, Uint8Array>;
}

/** A vector that is made while it is sent. */
export interface StreamedPieces {
  /**
   * Its pieces from the requested byte on: `frameBytes` each, the last one fewer. Each is valid until the next is requested. One that came
   * by the bulk stream with the same term and number is passed on with its `header`. `signal` is aborted when nobody waits for them any more.
   */
  pieces(signal: AbortSignal): AsyncIterable<{ begin: number; bytes: Uint8Array; header?: Uint8Array }>;
  /** Whether the next one waits for another process: the receiver hears so, and does not take this one for silent. */
  isWaiting?(): boolean;
}

/** What a request gets: a vector, the reason why there is none, or nothing at all because its secret is not known. */
export type StreamSource = (request: StreamRequest) => StreamedVector | StreamedPieces | 'absent' | 'gone' | 'stranger';

const keepAliveMs = 15_000;
/** How often, while a receiver waits as long as it will, it hears that the sender waits, too. */
const wordsInSilence = 4;

/**
 * Answer the requests of a connection, one after another, for as long as it lasts; `first` are bytes that were read from it already. A
 * caller that says anything else, or shows no valid secret, is cut off without an answer.
 */
export function serveStream(
  socket: Socket,
  first: Uint8Array | undefined,
  source: StreamSource,
  onRefused: (peer: string, reason: string) => void,
): void {
  const peer = `${socket.remoteAddress}:${socket.remotePort}`;
  let received = Buffer.alloc(0);
  let isBusy = false;
  socket.setNoDelay(true);
  // A receiver may pause for as long as a lease lasts; one whose machine is gone does not answer the kernel.
  socket.setKeepAlive(true, keepAliveMs);
  socket.on('error', () => undefined);
  const refuse = (reason: string) => {
    onRefused(peer, reason);
    socket.destroy();
  };
  const receive = (bytes: Uint8Array) => {
    received = Buffer.concat([received, bytes]);
    const length = requestLength(received);
    if (received.byteLength > (length ?? received.byteLength))
      return refuse('the bulk stream carried more than a request');
    if (length === Infinity) return refuse('the bulk stream carried no request');
    // A receiver may have all of an answer before the system says here that it has left.
    if (!isBusy && received.byteLength === length) serve();
  };
  const serve = () => {
    const request = decodeRequest(received);
    received = Buffer.alloc(0);
    if (!request) return refuse('the bulk stream carried no request');
    const found = source(request);
    if (found === 'stranger') return refuse('a request on the bulk stream showed no valid secret');
    isBusy = true;
    void answer(socket, request, found).finally(() => {
      isBusy = false;
      if (received.byteLength === requestLength(received)) serve();
    });
  };
  socket.on('data', receive);
  if (first) receive(first);
}

async function answer(
  socket: Socket,
  request: StreamRequest,
  found: Exclude<ReturnType<StreamSource>, 'stranger'>,
): Promise<void> {
  const { term, number, begin } = request;
  const headerOf = (status: FrameHeader['status'], at: number, payload: Uint8Array) =>
    encodeHeader({ status, term, number, begin: at, length: payload.byteLength }, payload);
  const refuse = (status: 'absent' | 'gone', at: number) => send(socket, headerOf(status, at, nothing), nothing);
  if (typeof found === 'string') return refuse(found, begin);
  if ('pieces' in found) return answerPieces(socket, request, found);
  const { bytes, stillValid, headers } = found;
  if (begin >= bytes.byteLength) return refuse('absent', begin);
  for (let at = begin; at < bytes.byteLength && !socket.destroyed; at += frameBytes) {
    if (!stillValid()) return refuse('gone', at);
    const payload = bytes.subarray(at, at + frameBytes);
    const header = headers?.get(at) ?? headerOf('data', at, payload);
    headers?.set(at, header);
    // One at a time: bytes that wait in a queue may change; the check would then show it.
    await send(socket, header, payload);
  }
}

async function answerPieces(
  socket: Socket,
  { term, number, begin, silenceMs }: StreamRequest,
  found: StreamedPieces,
): Promise<void> {
  const left = new AbortController();
  const leave = () => left.abort(new Error('the receiver has left'));
  socket.once('close', leave);
  let end = begin;
  let isSending = false;
  const sendPiece = async (status: FrameHeader['status'], at: number, bytes: Uint8Array, header?: Uint8Array) => {
    isSending = true;
    const made = () => encodeHeader({ status, term, number, begin: at, length: bytes.byteLength }, bytes);
    await send(socket, header ?? made(), bytes);
    isSending = false;
  };
  const sayWaiting = () => {
    if (!isSending && found.isWaiting?.()) void sendPiece('waiting', end, nothing);
  };
  const words = setInterval(sayWaiting, silenceMs / wordsInSilence);
  try {
    if (socket.destroyed) return;
    for await (const { begin: at, bytes, header } of found.pieces(left.signal)) {
      await sendPiece('data', at, bytes, header);
      if (socket.destroyed) return;
      end = at + bytes.byteLength;
    }
  } catch (error) {
    const lost = lostWorker(error);
    const [status, at] = lost === undefined ? (['gone', end] as const) : (['lost', lost] as const);
    await sendPiece(status, at, nothing);
  } finally {
    clearInterval(words);
    socket.off('close', leave);
  }
}

const nothing = new Uint8Array();

/** Send a frame, without copying its payload; resolves when the system has taken it, or the connection is over. */
function send(socket: Socket, header: Uint8Array, payload: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('close', done);
      resolve();
    };
    if (socket.destroyed) return resolve();
    socket.on('close', done);
    // TLS would copy what is corked into one buffer.
    const isCorked = !(socket instanceof TLSSocket);
    if (isCorked) socket.cork();
    socket.write(header, payload.byteLength ? undefined : done);
    if (payload.byteLength) socket.write(payload, done);
    if (isCorked) socket.uncork();
  });
}
