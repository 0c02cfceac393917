import { execFileSync } from 'node:child_process';
import tf = require('@tensorflow/tfjs-core');
import { beforeAll, describe, expect, it } from 'vitest';
import { aten } from './aten.js';
import { readInto } from './transfer.js';
import { registerTorch } from './index.js';
import { torchBackend } from './backend.js';
import { loadNative, probe } from './native.js';
import { lacks } from '../../../test/support/needs.mjs';

describe.skipIf(lacks('torch', probe().found))('the backend (after npm run setup:torch)', () => {
  beforeAll(async () => {
    registerTorch();
    await tf.setBackend('torch');
  });

  it('shares memory between a tensor and its views', () => {
    const x = tf.tensor1d([1, 2, 3, 4]);
    const before = loadNative().tensorCount();
    const [matrix, clone] = [tf.reshape(x, [2, 2]), tf.clone(x)];
    expect(loadNative().tensorCount()).toBe(before);
    torchBackend().overwrite([x], Float32Array.of(5, 6, 7, 8));
    expect([...matrix.dataSync()]).toEqual([5, 6, 7, 8]);
    tf.dispose(x);
    expect([...tf.sum(matrix, 0).dataSync()]).toEqual([12, 14]);
    expect([...clone.dataSync()]).toEqual([5, 6, 7, 8]);
    tf.dispose([matrix, clone]);
  });

  it('reads into shared memory, in the order of the shape whatever the layout in memory', () => {
    const target = new Float32Array(new SharedArrayBuffer(24));
    readInto(tf.transpose(tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3])), target);
    expect([...target]).toEqual([1, 4, 2, 5, 3, 6]);
    const filter = tf.tensor4d(
      Array.from({ length: 24 }, (_, i) => i),
      [2, 2, 3, 2],
    );
    tf.conv2d(tf.ones<tf.Rank.R4>([1, 4, 4, 3]), filter, 1, 'valid');
    // The convolution has rearranged the filter's data.
    expect([...filter.dataSync()]).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  it('keeps every dtype', () => {
    const complex = tf.complex([1, 2], [3, 4]);
    expect([...complex.dataSync()]).toEqual([1, 3, 2, 4]);
    expect([...tf.imag(tf.mul(complex, complex)).dataSync()]).toEqual([6, 16]);
    expect(tf.tensor(['häuser', '']).dataSync()).toEqual(['häuser', '']);
    const whole = tf.tensor([2 ** 31 - 1, -(2 ** 31)], [2], 'int32');
    expect(whole.dataSync()).toEqual(Int32Array.of(2 ** 31 - 1, -(2 ** 31)));
    expect(tf.logicalNot(tf.tensor([true, false])).dataSync()).toEqual(Uint8Array.of(0, 1));
    expect(tf.zeros([0, 3]).dataSync()).toEqual(new Float32Array(0));
  });

  it('survives a failed allocation', () => {
    const before = loadNative().tensorCount();
    // TensorFlow.js makes the zeros itself; libtorch does the fill.
    expect(() => tf.zeros([2 ** 45])).toThrow(String(2 ** 45));
    expect(() => tf.fill([2 ** 45], 1)).toThrow(`${4 * 2 ** 45} bytes`);
    expect(loadNative().tensorCount()).toBe(before);
    expect([...tf.fill([2], 1).dataSync()]).toEqual([1, 1]);
  });

  it.skipIf(lacks('linux', process.platform === 'linux'))(
    'gives kept memory back before it reports that memory is out',
    () => {
      // The limit leaves the second tensor only the first one's room, which is too large to be reused as it is.
      const script = `
      import { execFileSync } from 'node:child_process';
      import { readFileSync } from 'node:fs';
      import { aten } from '${new URL('../dist/aten.js', import.meta.url).href}';
      import { loadNative } from '${new URL('../dist/native.js', import.meta.url).href}';
      const native = loadNative();
      native.keepFreedMemory();
      const make = (megabytes) => aten['empty.memory_format']([megabytes << 20], 0, undefined, 'cpu');
      native.free(make(1000));
      const values = new Uint8Array(1500 << 20);
      const takenBytes = 1024 * Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
      execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (takenBytes + (450 << 20))]);
      native.free(make(860));
      let error;
      try { native.write(values, [values.length], 'cpu'); } catch (thrown) { error = thrown; }
      console.log(JSON.stringify({ code: error.code, message: error.message, left: native.tensorCount() }));
    `;
      const stdout = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
      expect(JSON.parse(stdout)).toMatchObject({ code: 'OUT_OF_MEMORY', left: 0 });
      expect(stdout).toMatch(/upload: out of memory: \d+ bytes were requested, \d+ are free/);
    },
  );

  it.skipIf(lacks('linux', process.platform === 'linux'))('keeps freed memory only on request', () => {
    // Blocks too small for the addon to keep: malloc holds them.
    const script = (options: object) => `
      import { readFileSync } from 'node:fs';
      import { registerTorch } from '${new URL('../dist/index.js', import.meta.url).href}';
      import { loadNative } from '${new URL('../dist/native.js', import.meta.url).href}';
      const { keepsFreedMemory } = registerTorch(${JSON.stringify(options)});
      const values = new Float32Array(2 << 20).fill(1);
      const handles = Array.from({ length: 50 }, () => loadNative().write(values, [values.length], 'cpu'));
      const takenMib = () => Number(/VmRSS:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
      const beforeMib = takenMib();
      for (const handle of handles) loadNative().free(handle);
      console.log(JSON.stringify({ keepsFreedMemory, givenBackMib: beforeMib - takenMib() }));
    `;
    const run = (options: object) =>
      JSON.parse(
        execFileSync(process.execPath, ['--input-type=module', '-e', script(options)], { encoding: 'utf8' }),
      ) as { keepsFreedMemory: boolean; givenBackMib: number };
    const guest = run({});
    expect(guest.keepsFreedMemory).toBe(false);
    expect(guest.givenBackMib).toBeGreaterThan(350);
    const owner = run({ keepFreedMemory: true });
    const isGlibc = 'glibcVersionRuntime' in (process.report.getReport() as { header: object }).header;
    expect(owner.keepsFreedMemory).toBe(isGlibc);
    if (isGlibc) expect(owner.givenBackMib).toBeLessThan(50);
  });

  it('refuses devices that do not exist', () => {
    expect(() => registerTorch({ device: 'tpu' })).toThrow('torch: tpu is not a device: choose cpu, cuda or cuda:N');
    const devices = loadNative().cudaDevices().length;
    const reason =
      devices === 0
        ? `cuda:99 was requested, but no CUDA device was found: ${loadNative().whyNoCuda()}`
        : `cuda:99 was requested, but the last CUDA device is cuda:${devices - 1}`;
    expect(() => registerTorch({ device: 'cuda:99' })).toThrow(reason);
  });
});

describe.skipIf(lacks('torch', probe().found))('under the precision bf16 (after npm run setup:torch)', () => {
  beforeAll(async () => {
    registerTorch({ precision: 'bf16' });
    await tf.setBackend('torch');
  });

  it('convolves in bfloat16, sums in float32, and frees the copies', () => {
    const before = loadNative().tensorCount();
    tf.tidy(() => {
      const x = tf.fill<tf.Rank.R4>([1, 16, 16, 1], 1 + 2 ** -10);
      const y = tf.conv2d(x, tf.ones([1, 1, 1, 1]), 1, 'valid');
      expect(y.dtype).toBe('float32');
      // bfloat16 has 8 bits of mantissa: a sum in it would have stopped at 256.
      expect(y.dataSync()[0]).toBe(1);
      expect(tf.sum(tf.add(y, 1)).dataSync()[0]).toBe(512);
      expect(tf.sum(x).dataSync()[0]).toBeCloseTo(256.25, 4);
    });
    expect(loadNative().tensorCount()).toBe(before);
  });

  it('sums a convolution’s and a product’s terms in float32, on any processor', () => {
    tf.tidy(() => {
      const sums = (terms: number) => {
        const convolved = tf.conv2d(tf.ones<tf.Rank.R4>([1, 1, 1, terms]), tf.ones([1, 1, terms, 1]), 1, 'valid');
        const product = tf.matMul(tf.ones<tf.Rank.R2>([1, terms]), tf.ones<tf.Rank.R2>([terms, 1]));
        return [convolved, product].map((result) => result.dataSync()[0]);
      };
      // A sum in bfloat16 would have stopped at 256; the result is rounded to it.
      expect(sums(512)).toEqual([512, 512]);
      expect(sums(259)).toEqual([260, 260]);
    });
  });

  it('gives a filter’s copy the filter’s layout', () => {
    const filter = tf.ones<tf.Rank.R4>([3, 3, 4, 5]);
    // A convolution's inputs become bfloat16 before it knows which one is the filter.
    tf.dispose(tf.conv2d(tf.ones<tf.Rank.R4>([1, 4, 4, 4]), filter, 1, 'same'));
    const strideOf = aten['stride.int'];
    const [handle, inputAxis] = [torchBackend().filterHandleOf(filter), 1];
    expect(strideOf(handle, inputAxis)).toBe(1);
    filter.dispose();
  });

  it('computes a dense weight’s gradient in float32', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([1 + 2 ** -10, 2, 3, 4], [2, 2]);
      const dy = tf.tensor2d([1, 0, 10, 1], [2, 2]);
      const gradient: tf.Tensor = tf.engine().runKernel('DenseWeightGrad', { x, dy });
      expect([...gradient.dataSync()]).toEqual([31 + 2 ** -10, 3, 42, 4]);
    });
  });

  it('updates its copies of weights with new values', () => {
    const weights = tf.variable(tf.ones([2, 2]));
    const product = () => tf.tidy(() => tf.matMul(tf.ones([1, 2]), weights as tf.Tensor2D).dataSync()[0]);
    expect(product()).toBe(2);
    torchBackend().overwrite([weights], Float32Array.of(3, 3, 3, 3));
    expect(product()).toBe(6);
    weights.dispose();
  });
});
