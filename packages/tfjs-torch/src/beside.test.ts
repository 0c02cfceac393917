import { describe, expect, it } from 'vitest';
import { aten } from './aten.js';
import { beside, createStaging, freeStaging, overwriteBeside } from './beside.js';
import { loadNative, probe, type Handle } from './native.js';
import { scope } from './temporaries.js';
import { lacks } from '../../../test/support/needs.mjs';

describe.skipIf(lacks('torch', probe().found))(
  'values copied in parallel with the computation (after npm run setup:torch)',
  () => {
    it('go to tensors of any memory layout, and leave nothing behind when their staging is freed', () => {
      const native = loadNative();
      const before = native.tensorCount();
      const read = (handle: Handle, length: number) => {
        const values = new Float32Array(length);
        beside(() => native.read(handle, values));
        return [...values];
      };
      scope(() => {
        const staging = createStaging([[2, 3], [], [2]], 'cpu');
        const transposed = aten.t(aten.zeros([3, 2]));
        const places = [transposed, aten.zeros([]), aten.zeros([2])];
        for (const first of [1, 10]) {
          overwriteBeside(
            staging,
            places,
            Float32Array.from({ length: 9 }, (_, i) => first + i),
          );
          const found = [6, 1, 2].flatMap((length, i) => read(places[i], length));
          expect(found).toEqual(Array.from({ length: 9 }, (_, i) => first + i));
        }
        expect(() => overwriteBeside(staging, places, new Float32Array(8))).toThrow('an array of 8 elements');
        freeStaging(staging);
      });
      expect(native.tensorCount()).toBe(before);
    });
  },
);
