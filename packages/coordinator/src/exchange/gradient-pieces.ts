import { copyBytes } from '@fourfold/common';
import { cutBySection, type WireLayout } from '@fourfold/weights';
import {
  openSharedFile,
  pieceBytes,
  receiveVector,
  type ReceiveOptions,
  type SharedFile__Output,
  type StreamPeer,
  type StreamReceiver,
  type Token__Output,
  type WorkerClient,
} from '@fourfold/rpc';
import type { SharedBytes } from '../updates/types.js';

/** A stretch of a gradient's wire vector: its bytes, or their place in shared memory. */
export type GradientPiece = { begin: number; byteLength: number } & ({ bytes: Uint8Array } | { shared: SharedBytes });

export interface PieceOptions extends Omit<ReceiveOptions, 'byteLength'> {
  /** Of the wire vector. */
  layout: WireLayout;
}

/**
 * The pieces of one gradient from a byte on, in order; each is valid until the next is requested. A section with
 * factors is a piece of its own. Throws `unavailable` when they stop coming, `mismatch` on a wrong one.
 */
export type GradientSource = (options: PieceOptions) => AsyncIterable<GradientPiece>;

/** Pull a gradient from its worker by gRPC. */
export function pulledPieces(
  client: WorkerClient,
  token: Token__Output,
  { layout, ...options }: PieceOptions,
): AsyncGenerator<GradientPiece> {
  const call = client.PullGradient({ token, begin: options.begin });
  return cutBytes(layout, receiveVector(call, { ...options, byteLength: layout.byteLength }));
}

/** Pull a gradient from its worker by the bulk stream. */
export function streamedPieces(
  receiver: StreamReceiver,
  peer: StreamPeer,
  { term, number }: Token__Output,
  { layout, begin, ...options }: PieceOptions,
): AsyncGenerator<GradientPiece> {
  const request = { kind: 'gradient', term, number, begin } as const;
  return cutBytes(layout, receiver.receive(peer, request, { ...options, byteLength: layout.byteLength }));
}

async function* cutBytes(
  layout: WireLayout,
  chunks: AsyncIterable<{ begin: number; bytes: Uint8Array }>,
): AsyncGenerator<GradientPiece> {
  let factors: Uint8Array | undefined;
  for await (const { begin, bytes } of chunks) {
    for (const { section, byteBegin, byteEnd } of cutBySection(layout, begin, begin + bytes.byteLength)) {
      const part = bytes.subarray(byteBegin - begin, byteEnd - begin);
      if (section.encoding !== 'factors') {
        yield { begin: byteBegin, byteLength: part.byteLength, bytes: part };
        continue;
      }
      factors ??= new Uint8Array(section.byteLength);
      copyBytes(part, factors.subarray(byteBegin - section.byteBegin));
      if (byteEnd < section.byteBegin + section.byteLength) continue;
      yield { begin: section.byteBegin, byteLength: section.byteLength, bytes: factors };
      factors = undefined;
    }
  }
}

/** Yield the places of a gradient in shared memory, piece by piece. */
export async function* sharedPieces(
  place: SharedFile__Output,
  token: Token__Output,
  { begin, layout }: PieceOptions,
): AsyncGenerator<GradientPiece> {
  const file = await openSharedFile(place);
  const shared = { descriptor: file.descriptor, stamp: { term: token.term, number: token.number } };
  try {
    for (const { section, byteBegin, byteEnd } of cutBySection(layout, begin, layout.byteLength)) {
      const size = section.encoding === 'factors' ? section.byteLength : pieceBytes;
      for (let at = byteBegin; at < byteEnd; at += size) {
        yield { begin: at, byteLength: Math.min(size, byteEnd - at), shared };
      }
    }
  } finally {
    await file.close();
  }
}
