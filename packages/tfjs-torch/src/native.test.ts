import { describe, expect, it } from 'vitest';
import { aten } from './aten.js';
import { isCrowded, loadNative, probe } from './native.js';
import { lacks } from '../../../test/support/needs.mjs';

describe.skipIf(lacks('torch', probe().found))('the addon (after npm run setup:torch)', () => {
  it('names the operator and the argument that it cannot take', () => {
    expect(() => aten.relu(123456)).toThrow('aten::relu: self: tensor 123456 does not exist, or was freed');
    expect(() => aten.relu('x')).toThrow('aten::relu: self: expected a number');
    expect(() => aten.relu()).toThrow('aten::relu: self: it is missing');
    const x = loadNative().write(new Float32Array(4), [4], 'cpu');
    expect(() => aten.reshape(x, 2)).toThrow('aten::reshape: shape: expected an array');
    expect(() => aten['no_such_operator'](x)).toThrow('aten::no_such_operator');
    loadNative().free(x);
  });

  it('refuses numbers that are not integers', () => {
    const native = loadNative();
    const x = native.write(new Float32Array(4), [4], 'cpu');
    for (const side of [NaN, Infinity, -Infinity, 2 ** 63, -(2 ** 63) - 2048, 0.5])
      expect(() => aten.reshape(x, [side]), String(side)).toThrow('aten::reshape: shape: expected a 64-bit integer');
    // It is an integer: the operator itself refuses it.
    for (const side of [2 ** 62, -(2 ** 62)])
      expect(() => aten.reshape(x, [side]), String(side)).toThrow(/invalid shape|shape '/);
    expect(() => native.shape(NaN)).toThrow('expected a 64-bit integer, not nan');
    expect(() => native.setThreads(2 ** 31)).toThrow('expected a 32-bit integer, not 2147483648');
    native.free(x);
  });

  it('accepts any number where an operator does', () => {
    const native = loadNative();
    for (const scalar of [NaN, Infinity, -Infinity, 1e300, -0.5, 2 ** 40]) {
      const mark = native.mark();
      const sum = aten['add.Scalar'](native.write(Float32Array.of(0), [1], 'cpu'), scalar);
      const values = new Float32Array(1);
      native.read(sum, values);
      expect(values[0]).toBe(Math.fround(scalar));
      native.release(mark, []);
    }
  });

  it('finds no tensor for a freed number', () => {
    const native = loadNative();
    const x = native.write(Float32Array.of(1), [1], 'cpu');
    native.free(x);
    native.free(x);
    expect(() => native.read(x, new Float32Array(1))).toThrow(`tensor ${x} does not exist, or was freed`);
  });

  it('refuses arrays of another size', () => {
    const native = loadNative();
    expect(() => native.write(new Float32Array(3), [2], 'cpu')).toThrow('an array of 3 elements');
    const x = native.write(new Float32Array(3), [3], 'cpu');
    expect(() => native.read(x, new Float32Array(2))).toThrow('an array of 2 elements');
    expect(() => native.overwrite(x, new Float32Array(4))).toThrow('an array of 4 elements');
    native.free(x);
  });

  it('frees tensors made since a mark, except those that are kept', () => {
    const native = loadNative();
    const before = native.tensorCount();
    const mark = native.mark();
    const x = native.write(Float32Array.of(-1, 2), [2], 'cpu');
    const y = aten.relu(aten.neg(x));
    native.release(mark, [y]);
    expect(native.tensorCount()).toBe(before + 1);
    const values = new Float32Array(2);
    native.read(y, values);
    expect([...values]).toEqual([1, 0]);
    native.free(y);
    expect(native.tensorCount()).toBe(before);
  });
});

describe('without the addon', () => {
  it('the probe says why it is missing', () => {
    const result = probe();
    if (result.found) expect(result.build.version).toMatch(/^\d+\.\d+\.\d+$/);
    else expect(result.reason).toContain('run npx tfjs-torch setup');
  });
});

describe('crowded machines', () => {
  it('have clearly more work than cores', () => {
    expect(isCrowded(2.9, 2)).toBe(false);
    expect(isCrowded(10, 2)).toBe(true);
  });
});
