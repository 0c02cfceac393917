import { copyBytes } from '@fourfold/common/basics';
import { isUnrounded, plainLayout, type DeltaLayout, type WireLayout } from '@fourfold/weights';
import { instantiateVectorModule } from './vector-module.js';

/** A network's vector in this process, and its bytes for transfer. Both are in memory shared by all threads. */
export interface WireVector {
  readonly layout: WireLayout;
  /** `layout.sourceLength` elements, in the sender's order. */
  readonly vector: Float32Array;
  /** The wire vector; the same memory if nothing is rounded. */
  readonly bytes: Uint8Array;
  /** Compute the bytes from the vector. */
  encode(): void;
  /** Compute the vector from the bytes. */
  decode(): void;
  /** Where parameters cross as deltas: bytes for those of the next version, and how they are added to the vector. */
  readonly deltas?: { bytes: Uint8Array; apply(): void };
}

const pageBytes = 65_536;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;

/** Allocate a zero vector of this layout. */
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
  // The first page belongs to the module.
  const [vectorAt, bytesAt] = [pageBytes, pageBytes + Math.ceil(vectorBytes / 64) * 64];
  const pages = Math.ceil((bytesAt + layout.byteLength) / pageBytes);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const module = instantiateVectorModule(memory);
  const all = new Uint8Array(memory.buffer);
  /** Position of each section in the vector and on the wire. */
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
        else copyBytes(all.subarray(source, source + count * elementBytes), all.subarray(wire));
      }
    },
    decode() {
      for (const { isRounded, source, wire, count } of places) {
        if (isRounded) module.widenBf16(wire, source, count);
        else copyBytes(all.subarray(wire, wire + count * elementBytes), all.subarray(source));
      }
    },
  };
}

/** Allocate what a worker holds of a network whose parameters cross as deltas: a zero vector. */
export function createViewVector(layout: DeltaLayout): WireVector {
  const { parameterCount, statisticCount, statisticsBegin, byteLength } = layout;
  const length = parameterCount + statisticCount;
  const [vectorAt, deltasAt] = [pageBytes, pageBytes + Math.ceil((length * elementBytes) / 64) * 64];
  const pages = Math.ceil((deltasAt + byteLength) / pageBytes);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const module = instantiateVectorModule(memory);
  const bytes = new Uint8Array(memory.buffer, vectorAt, length * elementBytes);
  const deltas = new Uint8Array(memory.buffer, deltasAt, byteLength);
  const nothing = () => undefined;
  return {
    layout: plainLayout(length),
    vector: new Float32Array(memory.buffer, vectorAt, length),
    bytes,
    encode: nothing,
    decode: nothing,
    deltas: {
      bytes: deltas,
      apply() {
        module.applyDeltas(vectorAt, vectorAt, deltasAt, parameterCount);
        bytes.set(deltas.subarray(statisticsBegin), parameterCount * elementBytes);
      },
    },
  };
}
