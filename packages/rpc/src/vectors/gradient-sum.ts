import { cutByElement } from '@fourfold/weights';
import { frameBytes } from '../stream/frame.js';
import { instantiateVectorModule } from './vector-module.js';
import type { WireVector } from './wire-vector.js';

/** A piece of a sum of gradients, to which a worker of a chain adds its own. */
export interface GradientSum {
  /** The piece: float32, `frameBytes`. */
  readonly bytes: Uint8Array;
  /**
   * Add the elements `from` .. `to - 1` of a gradient to as many from the piece's start; with `first` set the piece to them. Returns
   * false if one is NaN, infinite or too large for Adam; the piece is then of no use. Not for gradients with factors.
   */
  add(gradient: Pick<WireVector, 'layout' | 'bytes'>, from: number, to: number, how: SumOptions): boolean;
}

export interface SumOptions {
  first: boolean;
  /** How many elements of the sum, from its first, are rounded to bfloat16 after each addition. */
  rounded: number;
}

const pageBytes = 65_536;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;

/** The arithmetic is the coordinator's: the same bits, wherever a gradient is added. */
export function createGradientSum(): GradientSum {
  // The first page belongs to the module.
  const [sumAt, sourceAt] = [pageBytes, pageBytes + frameBytes];
  const pages = (sourceAt + frameBytes) / pageBytes;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const module = instantiateVectorModule(memory);
  const source = new Uint8Array(memory.buffer, sourceAt, frameBytes);
  return {
    bytes: new Uint8Array(memory.buffer, sumAt, frameBytes),
    add({ layout, bytes }, from, to, { first, rounded }) {
      return cutByElement(layout, from, to).every(({ section, begin, count, byteBegin, byteEnd }) => {
        const isRounded = section.encoding === 'bf16';
        source.set(bytes.subarray(byteBegin, byteEnd));
        const isUsable = (isRounded ? module.allUsableBf16 : module.allUsable)(sourceAt, count) !== 0;
        const target = sumAt + (begin - from) * elementBytes;
        if (!isUsable) return false;
        (isRounded ? module.accumulateBf16 : module.accumulate)(target, sourceAt, count, first ? 1 : 0);
        module.roundInPlace(target, Math.min(count, Math.max(0, rounded - begin)));
        return true;
      });
    },
  };
}
