import { status } from '@grpc/grpc-js';
import { FourfoldError, peerAddress, type Role } from '@fourfold/common';
import type { RpcSecurity } from '../ends/security.js';
import { roleName } from '../security/roles.js';
import { encodeRequest, frameBytes, type StreamRequest } from './frame.js';
import { startReceiveThread, type ReceiveThread } from './receive-thread-calls.js';
import type { Place, ReceiveFailure } from './receive-thread.js';

/** A process that sends vectors by the bulk stream. */
export interface StreamPeer {
  address: string;
  role: Role;
  /** What it wants to see in requests. */
  secret: Uint8Array;
}

export interface StreamOptions {
  /** Bytes of the whole vector. */
  byteLength: number;
  /** How long to wait for bytes, or for the sender's word that it waits, too. */
  silenceMs: number;
  /** Cancels the transfer. */
  signal: AbortSignal;
}

type Request = Omit<StreamRequest, 'secret' | 'silenceMs'>;

/** How far a vector has come, and the header of the frame that ends there if it came by the bulk stream. */
export type OnReached = (end: number, header?: Uint8Array) => void;

/** Receives vectors by the bulk stream, in a thread of its own that starts at the first transfer. */
export interface StreamReceiver {
  /**
   * Fill `target`, which is in shared memory, from its byte `request.begin` on; `onReached` says how far it has come, with the header of the
   * frame that ends there. Rejects as `receive` throws; by then nothing writes to it.
   */
  receiveInto(
    peer: StreamPeer,
    request: Request,
    target: Uint8Array,
    options: Omit<StreamOptions, 'byteLength'>,
    onReached?: OnReached,
  ): Promise<void>;
  /**
   * The pieces of a vector as they arrive, in order; each is valid until the next is requested. Throws `mismatch` on an unexpected
   * frame, `unavailable` on a damaged one and if the frames stop coming, `StreamUnanswered` if none ever came, and gRPC's errors where
   * the sender has no such vector.
   */
  receive(
    peer: StreamPeer,
    request: Request,
    options: StreamOptions,
  ): AsyncGenerator<{ begin: number; bytes: Uint8Array }>;
  /** Nothing more will be received from there. */
  forget(address: string): void;
  close(): Promise<void>;
}

/** Whether the peer has not answered at all: there may be something between that lets only gRPC through. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof FourfoldError && 'isUnanswered' in error && error.isUnanswered === true;

/** The number of the worker that did not send its part of a sum, if that is why a sum broke off. */
export const lostWorker = (error: unknown): number | undefined =>
  error instanceof FourfoldError && 'lost' in error && typeof error.lost === 'number' ? error.lost : undefined;

/** To be connected, TLS included. */
const connectMs = 10_000;
/** How far reception may be ahead of what is done with the pieces. */
const ringBytes = 16 * frameBytes;

/** `security` is read for each transfer. */
export function createStreamReceiver(security: RpcSecurity): StreamReceiver {
  let thread: ReceiveThread | undefined;
  const started = () => (thread ??= startReceiveThread());
  const rings: Uint8Array[] = [];
  const placeOf = ({ address, role }: Pick<StreamPeer, 'address' | 'role'>): Place => {
    const { identity } = security;
    const { authority: ca, certificate: cert, key } = identity ?? {};
    return {
      ...peerAddress(address),
      ...(ca && cert && key && { tls: { ca, cert, key, servername: roleName(role) } }),
    };
  };

  return {
    async receiveInto(peer, request, target, options, onReached) {
      const whole = { ...options, byteLength: target.byteLength };
      const memory = target.subarray(request.begin);
      const parts = { memory, isReported: onReached !== undefined, place: placeOf(peer), peer, request };
      for await (const { end, header } of transfer(started(), parts, whole)) onReached?.(end, header);
    },
    async *receive(peer, request, options) {
      const ring = rings.pop() ?? new Uint8Array(new SharedArrayBuffer(ringBytes));
      const parts = { memory: ring, isReported: true, place: placeOf(peer), peer, request };
      try {
        let at = request.begin;
        for await (const { end } of transfer(started(), parts, options)) {
          const place = (at - request.begin) % ringBytes;
          yield { begin: at, bytes: ring.subarray(place, place + end - at) };
          at = end;
        }
      } finally {
        rings.push(ring);
      }
    },
    forget: (address) => thread?.post({ type: 'forget', place: peerAddress(address) }),
    async close() {
      await thread?.terminate();
    },
  };
}

/** Receive into `memory`; yields how far the vector has come, if that is reported. */
async function* transfer(
  thread: ReceiveThread,
  parts: { peer: StreamPeer; place: Place; request: Request; memory: Uint8Array; isReported: boolean },
  { byteLength, silenceMs, signal }: StreamOptions,
): AsyncGenerator<{ end: number; header?: Uint8Array }> {
  signal.throwIfAborted();
  const { peer, place, request, memory, isReported } = parts;
  const { term, number, begin } = request;
  const { events, send } = thread.begin({
    place,
    request: encodeRequest({ ...request, silenceMs, secret: peer.secret }),
    expected: { term, number, begin, byteLength },
    ...{ memory, isReported, silenceMs },
    connectMs: Math.min(connectMs, silenceMs),
  });
  const cancel = () => send({ type: 'cancel' });
  signal.addEventListener('abort', cancel);
  let isOver = false;
  try {
    for (;;) {
      const event = await events.next();
      isOver = event.type === 'over';
      if (event.type === 'reached') {
        yield event;
        send({ type: 'consumed', end: event.end });
        continue;
      }
      signal.throwIfAborted();
      if (event.failure) throw errorOf(event.failure, peer);
      return;
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    if (!isOver) {
      cancel();
      while ((await events.next()).type !== 'over');
    }
  }
}

function errorOf({ message, code, refusal, lost, isUnanswered }: ReceiveFailure, { role }: StreamPeer): Error {
  const what = `bulk stream from the ${role} at ${message}`;
  if (refusal === 'lost') return Object.assign(new FourfoldError('unavailable', what), { lost });
  // Without a code it is a fault of this process.
  if (!refusal) return code ? Object.assign(new FourfoldError(code, what), { isUnanswered }) : new Error(what);
  const grpcs = refusal === 'gone' ? status.FAILED_PRECONDITION : status.NOT_FOUND;
  return Object.assign(new Error(what), { code: grpcs, details: what });
}
