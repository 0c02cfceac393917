/*
 * A network is transferred as a wire vector: a sequence of sections, each with its own encoding. Both sides derive the layout from the
 * config, so no section needs a header. The bytes are the same for every transport.
 */

/**
 * The encoding of a section's elements: `f32` unchanged (little-endian binary32), `bf16` as their upper halves, rounded to nearest
 * even; `factors` is a matrix as the float32 factors of which it is the product.
 */
export type Encoding = 'f32' | 'bf16' | 'factors';

/** A matrix [inputs, outputs] as x^T dy: x [rows, inputs], then dy [rows, outputs]. */
export interface Factors {
  rows: number;
  inputs: number;
  outputs: number;
}

/** A part of a network's vector, and its encoding. */
export type WirePart = { encoding: 'f32' | 'bf16'; count: number } | { encoding: 'factors'; factors: Factors };

export interface WireSection {
  encoding: Encoding;
  /** Elements of the network's vector. */
  begin: number;
  count: number;
  /** The same in the sender's vector, which has factors in place of their product. */
  sourceBegin: number;
  sourceCount: number;
  /** Position in the wire vector; multiples of 4. */
  byteBegin: number;
  byteLength: number;
  factors?: Factors;
}

export interface WireLayout {
  sections: readonly WireSection[];
  /** Elements of the network's vector. */
  length: number;
  /** Elements of the sender's vector. */
  sourceLength: number;
  /** Bytes of the wire vector. */
  byteLength: number;
}

const f32Bytes = Float32Array.BYTES_PER_ELEMENT;
const bf16Bytes = Uint16Array.BYTES_PER_ELEMENT;
/** The section after one of `bf16` begins at a multiple of this. */
const alignmentBytes = 8;

/** Lay out the parts of a vector in sequence; neighbours with the same plain encoding become one section. */
export function createWireLayout(parts: readonly WirePart[]): WireLayout {
  const sections: WireSection[] = [];
  const end = { length: 0, sourceLength: 0, byteLength: 0 };
  for (const part of mergeNeighbours(parts)) {
    const { count, sourceCount } = sizeOf(part);
    const byteLength =
      part.encoding === 'bf16'
        ? Math.ceil((count * bf16Bytes) / alignmentBytes) * alignmentBytes
        : sourceCount * f32Bytes;
    const place = { begin: end.length, sourceBegin: end.sourceLength, byteBegin: end.byteLength };
    sections.push({ ...part, count, sourceCount, byteLength, ...place });
    end.length += count;
    end.sourceLength += sourceCount;
    end.byteLength += byteLength;
  }
  return { sections, ...end };
}

/** The layout without its factors: a vector whose other elements alone cross. */
export function withoutFactors({ sections, ...layout }: WireLayout): WireLayout {
  let byteLength = 0;
  const plain = sections.flatMap((section) => {
    if (section.encoding === 'factors') return [];
    const byteBegin = byteLength;
    byteLength += section.byteLength;
    return [{ ...section, byteBegin }];
  });
  return { ...layout, sections: plain, byteLength };
}

/** A vector that is transferred unchanged. */
export const plainLayout = (length: number): WireLayout => createWireLayout([{ encoding: 'f32', count: length }]);

/** Whether the sender's vector and the wire vector are the same bytes. */
export const isUnrounded = ({ sections }: WireLayout): boolean => sections.every(({ encoding }) => encoding !== 'bf16');

/** A range of bytes of the wire vector within one section, and its elements; padding has none. */
export interface WireCut {
  section: WireSection;
  byteBegin: number;
  byteEnd: number;
  /** Elements of the network's vector; for a section of factors all of them, whatever part of its bytes this is. */
  begin: number;
  count: number;
}

/** Cut the bytes `byteBegin` .. `byteEnd - 1`, which are whole elements, at the boundaries of sections. */
export function cutBySection({ sections }: WireLayout, byteBegin: number, byteEnd: number): WireCut[] {
  return sections.flatMap((section) => {
    const from = Math.max(byteBegin, section.byteBegin);
    const to = Math.min(byteEnd, section.byteBegin + section.byteLength);
    if (from >= to) return [];
    const bytes = { section, byteBegin: from, byteEnd: to };
    if (section.encoding === 'factors') return [{ ...bytes, begin: section.begin, count: section.count }];
    const elementBytes = elementBytesOf(section);
    const first = Math.min(section.count, (from - section.byteBegin) / elementBytes);
    const last = Math.min(section.count, (to - section.byteBegin) / elementBytes);
    return [{ ...bytes, begin: section.begin + first, count: last - first }];
  });
}

/**
 * Where the elements `from` .. `to - 1` of the network's vector lie on the wire. Not for sections with factors, whose bytes belong to no
 * single element.
 */
export function cutByElement({ sections }: WireLayout, from: number, to: number): WireCut[] {
  return sections.flatMap((section) => {
    const begin = Math.max(from, section.begin);
    const end = Math.min(to, section.begin + section.count);
    if (begin >= end) return [];
    if (section.encoding === 'factors') throw new Error('factors cannot be cut by elements');
    const [byteBegin, byteEnd] = [begin, end].map(
      (element) => section.byteBegin + (element - section.begin) * elementBytesOf(section),
    );
    return [{ section, byteBegin, byteEnd, begin, count: end - begin }];
  });
}

/** How many elements of the network's vector, from its first on, have come once the bytes before `byte` have. */
export function elementsBefore({ sections, length }: WireLayout, byte: number): number {
  const next = sections.find(({ byteBegin, byteLength }) => byteBegin + byteLength > byte);
  if (!next) return length;
  return next.begin + Math.min(next.count, Math.floor(Math.max(0, byte - next.byteBegin) / elementBytesOf(next)));
}

/** How many bytes of the wire vector, from its first on, are made of elements before `element`. Not for sections with factors. */
export function bytesBefore({ sections, byteLength }: WireLayout, element: number): number {
  const next = sections.find(({ begin, count }) => begin + count > element);
  return next ? next.byteBegin + Math.max(0, element - next.begin) * elementBytesOf(next) : byteLength;
}

/** Bytes of one element in a section's encoding, or of one element of a factor. */
export const elementBytesOf = ({ encoding }: Pick<WireSection, 'encoding'>): number =>
  encoding === 'bf16' ? bf16Bytes : f32Bytes;

function mergeNeighbours(parts: readonly WirePart[]): WirePart[] {
  const merged: WirePart[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (part.encoding !== 'factors' && part.count === 0) continue;
    if (last && part.encoding !== 'factors' && last.encoding === part.encoding) {
      merged[merged.length - 1] = { encoding: part.encoding, count: last.count + part.count };
    } else merged.push(part);
  }
  return merged;
}

function sizeOf(part: WirePart): { count: number; sourceCount: number } {
  if (part.encoding !== 'factors') return { count: part.count, sourceCount: part.count };
  const { rows, inputs, outputs } = part.factors;
  return { count: inputs * outputs, sourceCount: rows * (inputs + outputs) };
}
