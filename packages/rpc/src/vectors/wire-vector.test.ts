import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { randomStream } from '@fourfold/common';
import { createWireLayout, plainLayout } from '@fourfold/weights';
import { createWireVector } from './wire-vector.js';

/** Bit patterns of float32 as numbers. */
const fromBits = (bits: Uint32Array) => new Float32Array(bits.buffer, bits.byteOffset, bits.length);

/** The bfloat16 nearest to a float32, ties to even, by exact arithmetic in float64. */
function reference(value: number): number {
  const [sign, size] = [Object.is(value, -0) || value < 0 ? 0x8000 : 0, Math.abs(value)];
  if (Number.isNaN(value)) return NaN;
  if (size === Infinity) return sign | 0x7f80;
  // The distance between neighbours: 2^-7 of a power of two, 2^-133 among the subnormals.
  const exponent = Math.max(-126, Math.floor(Math.log2(size || Number.MIN_VALUE)));
  const power =
    size >= 2 ** (exponent + 1) ? exponent + 1 : size < 2 ** exponent ? Math.max(-126, exponent - 1) : exponent;
  const step = 2 ** (power - 7);
  const steps = size / step;
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  const result = rounded * step;
  if (result >= 2 ** 128) return sign | 0x7f80;
  return sign | (new Uint32Array(Float32Array.of(result).buffer)[0] >>> 16);
}

/** `values` as they are on the wire. */
function rounded(values: Float32Array): Uint16Array {
  const wire = createWireVector(createWireLayout([{ encoding: 'bf16', count: values.length }]));
  wire.vector.set(values);
  wire.encode();
  return new Uint16Array(wire.bytes.slice().buffer, 0, values.length);
}

const special = Uint32Array.from(
  [
    0, 0x3f800000, 0x3f807fff, 0x3f808000, 0x3f808001, 0x3f818000, 0x3f817fff, 0x3f818001, 0x7f7f7fff, 0x7f7f8000,
    0x7f7fffff, 0x7f800000, 1, 0x7fff, 0x8000, 0x8001, 0x18000, 0x007fffff, 0x00800000, 0x007f8000, 0x0000ffff,
  ].flatMap((bits) => [bits, bits + 2 ** 31]),
);

test('values are rounded to nearest, ties to even, subnormals and infinity included', () => {
  const random = randomStream('bf16');
  const bits = Uint32Array.from(
    { length: 40_003 },
    (_, i) => special[i] ?? random.below(2 ** 16) * 2 ** 16 + random.below(2 ** 16),
  );
  const numbers = bits.filter((value) => (value & 0x7fffffff) <= 0x7f800000);
  expect([...rounded(fromBits(numbers))]).toEqual([...fromBits(numbers)].map(reference));
});

test('the last values of a vector are rounded like the others', () => {
  for (let length = 1; length <= 17; length++) {
    const values = fromBits(special).slice(0, length);
    expect([...rounded(values)]).toEqual([...values].map(reference));
  }
});

test('a NaN stays a NaN, whatever its payload', () => {
  const payloads = Uint32Array.from([
    0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xff807fff, 0x7f80ffff, 0x7f810000, 0xffffffff, 0x7f800001,
  ]);
  for (const value of rounded(fromBits(payloads))) expect((value & 0x7fff) > 0x7f80).toBe(true);
  const alone = rounded(fromBits(payloads.subarray(0, 1)));
  expect((alone[0] & 0x7fff) > 0x7f80).toBe(true);
});

const layout = createWireLayout([
  { encoding: 'bf16', count: 13 },
  { encoding: 'factors', factors: { rows: 2, inputs: 3, outputs: 1 } },
  { encoding: 'f32', count: 5 },
]);

test('decoding gives the rounded part rounded and the rest unchanged, and rounding again changes nothing', () => {
  const [sent, received] = [createWireVector(layout), createWireVector(layout)];
  sent.vector.forEach((_, i) => (sent.vector[i] = 1 + i * 0.001234567));
  sent.encode();
  received.bytes.set(sent.bytes);
  received.decode();
  expect([...received.vector.subarray(13)]).toEqual([...sent.vector.subarray(13)]);
  for (let i = 0; i < 13; i++) expect(Math.abs(received.vector[i] - sent.vector[i])).toBeLessThanOrEqual(2 ** -8);
  received.bytes.fill(0);
  received.encode();
  expect(Buffer.from(received.bytes).equals(sent.bytes)).toBe(true);
});

test('a plain vector is its bytes', () => {
  const wire = createWireVector(plainLayout(3));
  const { vector, bytes } = wire;
  vector.set([1, 2, 3]);
  wire.encode();
  expect(bytes.buffer).toBe(vector.buffer);
  expect([...new Float32Array(bytes.slice().buffer)]).toEqual([1, 2, 3]);
});

test('another thread can write to the vector', async () => {
  const wire = createWireVector(layout);
  const thread = new Worker('require("node:worker_threads").workerData.fill(2);', {
    eval: true,
    workerData: wire.vector,
  });
  await new Promise((resolve) => thread.once('exit', resolve));
  wire.encode();
  expect(new Uint16Array(wire.bytes.slice().buffer)[0]).toBe(0x4000);
});
