import { cutBySection, readVectorSync, type WireLayout } from '@fourfold/common';
import type { Layout } from '@fourfold/model/layout';
import type { GradientPiece } from './gradient-pieces.js';

/** A byte of a gradient's wire vector in words: its tensor, and the element's place there. */
export function describePlace(wire: WireLayout, { tensors }: Pick<Layout, 'tensors'>, byte: number): string {
  const [cut] = cutBySection(wire, byte, wire.byteLength);
  if (!cut) return 'its end';
  const { section, begin: element } = cut;
  const found = tensors.find(({ offset, sizeElements }) => element >= offset && element < offset + sizeElements);
  if (!found) return `element ${element}`;
  if (section.encoding === 'factors') return `the factors of ${found.name}`;
  return `${found.name} (element ${element - found.offset} of ${found.sizeElements})`;
}

/**
 * The byte of the first element that is NaN or infinite in a piece, of the wire vector's bytes from `from` on; `from` where there
 * is none. Throws `unavailable` when the shared memory holds something else by now.
 */
export function firstNotFinite(wire: WireLayout, piece: GradientPiece, from: number): number {
  const end = piece.begin + piece.byteLength;
  const bytes = 'shared' in piece ? new Uint8Array(end - from) : piece.bytes.subarray(from - piece.begin);
  if ('shared' in piece) readVectorSync(piece.shared.descriptor, piece.shared.stamp, from, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { section, byteBegin, count } of cutBySection(wire, from, end)) {
    // A section with factors is named as a whole.
    if (section.encoding === 'factors') return from;
    const [size, isFinite] = section.encoding === 'bf16' ? ([2, isFiniteBf16] as const) : ([4, isFiniteF32] as const);
    for (let i = 0; i < count; i++) {
      const at = byteBegin + i * size;
      if (!isFinite(view, at - from)) return at;
    }
  }
  return from;
}

const isFiniteF32 = (view: DataView, at: number) => Number.isFinite(view.getFloat32(at, true));
const isFiniteBf16 = (view: DataView, at: number) => (view.getUint16(at, true) & 0x7f80) !== 0x7f80;
