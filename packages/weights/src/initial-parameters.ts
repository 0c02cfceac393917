import { randomStream } from '@fourfold/common/basics';
import type { Layout } from './layout.js';

/**
 * A network's weights and statistics before the first update, in layout order. Each tensor is a pure function of the
 * seed, the network and the tensor's name: the same bits on every host and backend.
 */
export function initialVector(layout: Layout, seed: number): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(layout.length);
  for (const { name, offset, sizeElements, init } of layout.tensors) {
    const values = vector.subarray(offset, offset + sizeElements);
    if (init.kind === 'constant') {
      values.fill(init.value);
    } else {
      const random = randomStream(seed, layout.network, name);
      const bound = 1 / Math.sqrt(init.fanIn);
      for (let i = 0; i < values.length; i++) values[i] = (2 * random.float() - 1) * bound;
    }
  }
  return vector;
}
