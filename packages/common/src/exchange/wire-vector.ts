import { instantiateBf16 } from './bf16.js';
import { isUnrounded, type WireLayout } from './wire-layout.js';

/** A vector of a network in this process, and the bytes that cross of it. Both lie on shared memory, for all threads. */
export interface WireVector {
  readonly layout: WireLayout;
  /** `layout.sourceLength` elements, in the sender's order. */
  readonly vector: Float32Array;
  /** The wire vector: the same memory where nothing is rounded. */
  readonly bytes: Uint8Array;
  /** Make the bytes from the vector. */
  encode(): void;
  /** Make the vector from the bytes. */
  decode(): void;
}

const pageBytes = 65_536;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;

/** Memory for a vector of this layout, zero. */
export function createWireVector(layout: WireLayout): WireVector {
  const vectorBytes = layout.sourceLength * elementBytes;
  if (isUnrounded(layout)) {
    const buffer = new SharedArrayBuffer(vectorBytes);
    const nothing = () => undefined;
    return {
      layout,
      vector: new Float32Array(buffer),
      bytes: new Uint8Array(buffer),
      encode: nothing,
      decode: nothing,
    };
  }
  // The first page is the module's own.
  const [vectorAt, bytesAt] = [pageBytes, pageBytes + Math.ceil(vectorBytes / 64) * 64];
  const pages = Math.ceil((bytesAt + layout.byteLength) / pageBytes);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const module = instantiateBf16(memory);
  const all = new Uint8Array(memory.buffer);
  /** Where each section lies in the vector and on the wire. */
  const places = layout.sections.map(({ encoding, sourceBegin, sourceCount, byteBegin }) => ({
    isRounded: encoding === 'bf16',
    source: vectorAt + sourceBegin * elementBytes,
    wire: bytesAt + byteBegin,
    count: sourceCount,
  }));
  return {
    layout,
    vector: new Float32Array(memory.buffer, vectorAt, layout.sourceLength),
    bytes: new Uint8Array(memory.buffer, bytesAt, layout.byteLength),
    encode() {
      for (const { isRounded, source, wire, count } of places) {
        if (isRounded) module.roundToBf16(source, wire, count);
        else all.copyWithin(wire, source, source + count * elementBytes);
      }
    },
    decode() {
      for (const { isRounded, source, wire, count } of places) {
        if (isRounded) module.widenBf16(wire, source, count);
        else all.copyWithin(source, wire, wire + count * elementBytes);
      }
    },
  };
}
