import { cutBySection, elementBytesOf, type WireLayout, type Layout } from '@fourfold/weights';
import { readVectorSync } from '@fourfold/rpc';
import type { GradientPiece } from '../exchange/gradient-pieces.js';

/** Describes a byte of a gradient's wire vector: its tensor, and the element's index there. */
export function describePlace(wire: WireLayout, layout: Pick<Layout, 'tensors'>, byte: number): string {
  const [cut] = cutBySection(wire, byte, wire.byteLength);
  if (!cut) return 'its end';
  const { section, begin: element } = cut;
  const found = tensorOf(layout, element);
  if (found && section.encoding === 'factors') return `the factors of ${found.name}`;
  return describeElement(layout, element);
}

/** Describes an element of a network's vector: its tensor, and the element's index there. */
export function describeElement(layout: Pick<Layout, 'tensors'>, element: number): string {
  const found = tensorOf(layout, element);
  if (!found) return `element ${element}`;
  return `${found.name} (element ${element - found.offset} of ${found.sizeElements})`;
}

const tensorOf = ({ tensors }: Pick<Layout, 'tensors'>, element: number) =>
  tensors.find(({ offset, sizeElements }) => element >= offset && element < offset + sizeElements);

/** Elements must be smaller than this: Adam squares them. `usableBelow` in packages/rpc/assembly/sum.ts. */
export const usableBelow = 2 ** 63;

/** Describes an unusable element. */
export const describeUnusable = (value: number | undefined): string =>
  value !== undefined && Number.isFinite(value)
    ? `${value}, whose square is too large for a float32,`
    : 'NaN or infinity';

/**
 * The first unusable element of a piece that begins at byte `from` of the wire vector: its byte and its value; `from`
 * if there is none. Throws `unavailable` if the shared memory holds something else by now.
 */
export function firstUnusable(wire: WireLayout, piece: GradientPiece, from: number): { at: number; value?: number } {
  const end = piece.begin + piece.byteLength;
  const bytes = 'shared' in piece ? new Uint8Array(end - from) : piece.bytes.subarray(from - piece.begin);
  if ('shared' in piece) readVectorSync(piece.shared.descriptor, piece.shared.stamp, from, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { section, byteBegin, count } of cutBySection(wire, from, end)) {
    // A section with factors is named as a whole.
    if (section.encoding === 'factors') return { at: from };
    const size = elementBytesOf(section);
    const valueAt = section.encoding === 'bf16' ? bf16At : f32At;
    for (let i = 0; i < count; i++) {
      const at = byteBegin + i * size;
      const value = valueAt(view, at - from);
      if (!(Math.abs(value) < usableBelow)) return { at, value };
    }
  }
  return { at: from };
}

const f32At = (view: DataView, at: number) => view.getFloat32(at, true);

function bf16At(view: DataView, at: number): number {
  const widened = new DataView(new ArrayBuffer(4));
  widened.setUint16(0, view.getUint16(at, true));
  return widened.getFloat32(0);
}
