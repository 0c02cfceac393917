/*
 * What crosses of a network is a wire vector: sections one behind the other, each in its encoding. Both sides derive its layout
 * from the config, so that no section needs a header; it is the same bytes in whatever way they cross.
 */

/**
 * How a section's elements cross: `f32` as they are (little-endian binary32), `bf16` as their upper halves, rounded to nearest
 * even; `factors` is a matrix as the float32 factors whose product it is.
 */
export type Encoding = 'f32' | 'bf16' | 'factors';

/** A matrix [inputs, outputs] as x^T dy: x [rows, inputs], then dy [rows, outputs]. */
export interface Factors {
  rows: number;
  inputs: number;
  outputs: number;
}

/** A stretch of a network's vector, and how it is to cross. */
export type WirePart = { encoding: 'f32' | 'bf16'; count: number } | { encoding: 'factors'; factors: Factors };

export interface WireSection {
  encoding: Encoding;
  /** Elements of the network's vector. */
  begin: number;
  count: number;
  /** The same in the sender's vector, which has factors in place of their product. */
  sourceBegin: number;
  sourceCount: number;
  /** Its place in the wire vector: multiples of 4. */
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
/** What is behind a section of `bf16` begins at a multiple of this again. */
const alignmentBytes = 8;

/** Lay out the parts of a vector one behind the other; neighbours of one plain encoding become one section. */
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

/** A vector that crosses as it is. */
export const plainLayout = (length: number): WireLayout => createWireLayout([{ encoding: 'f32', count: length }]);

/** Whether the sender's vector and the wire vector are the same bytes. */
export const isUnrounded = ({ sections }: WireLayout): boolean => sections.every(({ encoding }) => encoding !== 'bf16');

/** A stretch of bytes of the wire vector in one section, and its elements; none where it is padding. */
export interface WireCut {
  section: WireSection;
  byteBegin: number;
  byteEnd: number;
  /** Elements of the network's vector; of a section with factors all, whatever part of its bytes it is. */
  begin: number;
  count: number;
}

/** Cut the bytes `byteBegin` .. `byteEnd - 1`, which begin and end with an element, where sections do. */
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

/** Bytes of one element of a section's encoding; of a factor's element. */
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
