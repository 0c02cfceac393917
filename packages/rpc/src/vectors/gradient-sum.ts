import { copyBytes } from '@fourfold/common/basics';
import { cutByElement, cutBySection, type WireLayout } from '@fourfold/weights';
import { frameBytes } from '../stream/frame.js';
import { instantiateVectorModule } from './vector-module.js';
import type { WireVector } from './wire-vector.js';

/** A piece of a sum of gradients, to which a worker of a chain adds its own. */
export interface GradientSum {
  /** The piece as it crosses: `frameBytes`. */
  readonly bytes: Uint8Array;
  /**
   * Add to the piece what gradients hold for its elements, in their order. The piece is the bytes `begin` .. `end - 1` of a sum with this
   * layout; with `isEmpty`, the first gradient sets it. Returns false if a value is NaN, infinite or too large for Adam; the piece is
   * then of no use.
   */
  add(
    gradients: readonly Pick<WireVector, 'layout' | 'bytes'>[],
    piece: { layout: WireLayout; begin: number; end: number; isEmpty: boolean },
  ): boolean;
}

const pageBytes = 65_536;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;
/** Of a piece in bfloat16, as float32. */
const widenedBytes = 2 * frameBytes;

/** The arithmetic is the coordinator's: the same bits, wherever a gradient is added. */
export function createGradientSum(): GradientSum {
  // The first page belongs to the module.
  const [wireAt, widenedAt, sourceAt] = [pageBytes, pageBytes + frameBytes, pageBytes + frameBytes + widenedBytes];
  const pages = (sourceAt + widenedBytes) / pageBytes;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const module = instantiateVectorModule(memory);
  const wire = new Uint8Array(memory.buffer, wireAt, frameBytes);
  const source = new Uint8Array(memory.buffer, sourceAt, widenedBytes);

  /** Add some elements of a gradient to as many at an address, in float32. */
  function addElements(
    { layout, bytes }: Pick<WireVector, 'layout' | 'bytes'>,
    { begin, count, target, first }: { begin: number; count: number; target: number; first: boolean },
  ): boolean {
    return cutByElement(layout, begin, begin + count).every((cut) => {
      const isRounded = cut.section.encoding === 'bf16';
      copyBytes(bytes.subarray(cut.byteBegin, cut.byteEnd), source);
      const isUsable = (isRounded ? module.allUsableBf16 : module.allUsable)(sourceAt, cut.count) !== 0;
      const at = target + (cut.begin - begin) * elementBytes;
      if (isUsable) (isRounded ? module.accumulateBf16 : module.accumulate)(at, sourceAt, cut.count, first ? 1 : 0);
      return isUsable;
    });
  }

  return {
    bytes: wire,
    add(gradients, { layout, begin, end, isEmpty }) {
      return cutBySection(layout, begin, end).every((cut) => {
        const { count, section } = cut;
        const isRounded = section.encoding === 'bf16';
        const at = wireAt + cut.byteBegin - begin;
        const target = isRounded ? widenedAt : at;
        if (isRounded && !isEmpty) module.widenBf16(at, target, count);
        const areUsable = gradients.every((gradient, i) => {
          const isUsable = addElements(gradient, { begin: cut.begin, count, target, first: isEmpty && i === 0 });
          if (isUsable && isRounded) module.roundInPlace(target, count);
          return isUsable;
        });
        if (areUsable && isRounded) module.roundToBf16(target, at, count);
        return areUsable;
      });
    },
  };
}
