import { createWireVector } from '@fourfold/rpc';
import { createWireLayout, plainLayout, type WireLayout } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { bytesOf, randomVector } from './test-vectors.js';
import { createUpdater } from './updater.js';

/*
 * Gradients in bfloat16 and as factors.
 */

const factors = { rows: 6, inputs: 13, outputs: 21 };
const length = 7 + factors.inputs * factors.outputs + 4;
/** A gradient of 7 parameters, a matrix, 1 parameter and 3 statistics. */
const layoutOf = (encoding: 'f32' | 'bf16', matrix: 'matrix' | 'factors') =>
  createWireLayout([
    { encoding, count: 7 },
    matrix === 'factors' ? { encoding: 'factors', factors } : { encoding, count: factors.inputs * factors.outputs },
    { encoding, count: 1 },
    { encoding: 'f32', count: 3 },
  ]);

/** Add replicas' gradients, whole sections at a time; returns the bits of the sum. */
async function sumOf(
  layout: WireLayout,
  vectors: Float32Array[],
  { threads = 2, roundedSums = false } = {},
): Promise<Float32Array> {
  const network = {
    parameterCount: length - 3,
    length,
    roundedSums,
    wires: { parameters: plainLayout(length), gradients: layout, sums: plainLayout(length) },
  };
  const updater = createUpdater([network], threads, layout.byteLength);
  const [state] = updater.states;
  for (const [replica, vector] of vectors.entries()) {
    const wire = createWireVector(layout);
    wire.vector.set(vector);
    wire.encode();
    for (const { encoding, byteBegin, byteLength } of layout.sections) {
      const bytes = wire.bytes.subarray(byteBegin, byteBegin + byteLength);
      if (encoding === 'factors') {
        const added = await updater.accumulateFactors(state, byteBegin, (target) => target.set(bytes), replica === 0);
        expect(added).toEqual({ added: byteLength });
      } else expect(updater.accumulate(state, byteBegin, bytes, replica === 0)).toBe(true);
    }
  }
  const sum = state.sum.slice();
  await updater.close();
  return sum;
}
const replicas = [0, 1, 2];

test('bfloat16 is widened and added in float32, in the order of the replicas', async () => {
  const layout = layoutOf('bf16', 'matrix');
  const vectors = replicas.map((replica) => randomVector(length, 'bf16', replica));
  const decoded = vectors.map((vector) => {
    const wire = createWireVector(layout);
    wire.vector.set(vector);
    wire.encode();
    wire.decode();
    return wire.vector;
  });
  const expected = decoded[0].map((value, i) => Math.fround(Math.fround(value + decoded[1][i]) + decoded[2][i]));
  expect(bytesOf(await sumOf(layout, vectors)).equals(bytesOf(expected))).toBe(true);
  // Statistics are not rounded.
  expect(decoded[0][length - 1]).toBe(vectors[0][length - 1]);
  expect(decoded[0][0]).not.toBe(vectors[0][0]);
});

const { rows, inputs, outputs } = factors;
const layout = layoutOf('f32', 'factors');
const vectors = replicas.map((replica) => randomVector(layout.sourceLength, 'factors', replica));
/** An element of a replica's product, rounded after each operation. */
function productOf(vector: Float32Array, i: number, j: number): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const [x, dy] = [vector[7 + row * inputs + i], vector[7 + rows * inputs + row * outputs + j]];
    sum = Math.fround(sum + Math.fround(x * dy));
  }
  return sum;
}

test('factors are multiplied row by row and added in the order of the replicas', async () => {
  const sum = await sumOf(layout, vectors);
  for (let i = 0; i < inputs; i++) {
    for (let j = 0; j < outputs; j++) {
      const [a, b, c] = vectors.map((vector) => productOf(vector, i, j));
      expect(sum[7 + i * outputs + j]).toBe(Math.fround(Math.fround(a + b) + c));
    }
  }
  const rest = vectors.map((vector) => vector.subarray(7 + rows * (inputs + outputs)));
  for (let i = 0; i < 4; i++) {
    const expected = Math.fround(Math.fround(rest[0][i] + rest[1][i]) + rest[2][i]);
    expect(sum[7 + inputs * outputs + i]).toBe(expected);
  }
});

test.each([
  ['f32', 'matrix'],
  ['bf16', 'matrix'],
  ['f32', 'factors'],
] as const)(
  'a rounded sum is a bfloat16 after each addition, but for its statistics: gradients in %s, %s',
  async (encoding, matrix) => {
    const layout = layoutOf(encoding, matrix);
    const given = replicas.map((replica) => randomVector(layout.sourceLength, 'rounded', replica));
    // Of one replica the sum is what is added.
    const added: Float32Array[] = [];
    for (const vector of given) added.push(await sumOf(layout, [vector]));
    const expected = new Float32Array(length);
    for (const one of added) {
      for (let i = 0; i < length; i++) {
        const sum = Math.fround(expected[i] + one[i]);
        expected[i] = i < length - 3 ? bf16Of(sum) : sum;
      }
    }
    for (const threads of [1, 3]) {
      const sum = await sumOf(layout, given, { threads, roundedSums: true });
      expect(bytesOf(sum).equals(bytesOf(expected))).toBe(true);
    }
  },
);

/** The nearest bfloat16, by a wire vector. */
function bf16Of(value: number): number {
  one.vector[0] = value;
  one.encode();
  one.decode();
  return one.vector[0];
}
const one = createWireVector(createWireLayout([{ encoding: 'bf16', count: 1 }]));

test.each([1, 3, 4])('the bits of products do not depend on the number of threads: %i', async (threads) => {
  const expected = bytesOf(await sumOf(layout, vectors));
  expect(bytesOf(await sumOf(layout, vectors, { threads })).equals(expected)).toBe(true);
});

test('factors with more rows than a thread can hold at once', async () => {
  const large = { rows: 3000, inputs: 9, outputs: 40 };
  const only = createWireLayout([{ encoding: 'factors', factors: large }]);
  const vector = randomVector(only.sourceLength, 'large');
  const count = large.inputs * large.outputs;
  const network = {
    parameterCount: count,
    length: count,
    wires: { parameters: plainLayout(count), gradients: only, sums: plainLayout(count) },
  };
  const updater = createUpdater([network], 2, 64);
  await updater.accumulateFactors(updater.states[0], 0, (target) => target.set(bytesOf(vector)), true);
  const [i, j] = [5, 33];
  let expected = 0;
  for (let row = 0; row < large.rows; row++) {
    const dy = vector[large.rows * large.inputs + row * large.outputs + j];
    expected = Math.fround(expected + Math.fround(vector[row * large.inputs + i] * dy));
  }
  expect(updater.states[0].sum[i * large.outputs + j]).toBe(expected);
  await updater.close();
});

test.each([
  ['NaN', NaN, NaN],
  ['infinity', -Infinity, 1],
  ['values whose product is too large', 1e10, -1e10],
])('factors with %s are refused and change nothing', async (_, x, dy) => {
  const network = {
    parameterCount: length - 3,
    length,
    wires: { parameters: plainLayout(length), gradients: layout, sums: plainLayout(length) },
  };
  const updater = createUpdater([network], 1, layout.byteLength);
  const [state] = updater.states;
  const section = layout.sections[1];
  const bad = vectors[0].slice(7, 7 + section.sourceCount);
  bad[3] = x;
  bad[section.sourceCount - 1] = dy;
  const refused = await updater.accumulateFactors(state, section.byteBegin, (target) => target.set(bytesOf(bad)), true);
  expect(refused).toMatchObject({ added: 0, failure: { code: 'invalid' } });
  expect([...state.sum].every((value) => value === 0)).toBe(true);
  await updater.close();
});

test.each([0x7f80, 0xff80, 0x7fc0, 0xffff, 0x5f00, 0xdf00])('an unusable bfloat16 is refused: %i', async (bits) => {
  const rounded = layoutOf('bf16', 'matrix');
  const network = {
    parameterCount: length - 3,
    length,
    wires: { parameters: plainLayout(length), gradients: rounded, sums: plainLayout(length) },
  };
  const updater = createUpdater([network], 1, rounded.byteLength);
  const bytes = new Uint8Array(rounded.sections[0].byteLength);
  for (let place = 0; place < rounded.sections[0].count; place++) {
    bytes.fill(0);
    // The largest usable one.
    new DataView(bytes.buffer).setUint16(2 * place, (bits & 0x8000) | 0x5eff, true);
    expect(updater.accumulate(updater.states[0], 0, bytes, true)).toBe(true);
    new DataView(bytes.buffer).setUint16(2 * place, bits, true);
    expect(updater.accumulate(updater.states[0], 0, bytes, true)).toBe(false);
  }
  await updater.close();
});

test.each([1, 3])(
  '%i threads round parameters as a worker does, and do not round running averages',
  async (threads) => {
    const parameters = createWireLayout([
      { encoding: 'bf16', count: length - 3 },
      { encoding: 'f32', count: 3 },
    ]);
    const network = {
      parameterCount: length - 3,
      length,
      wires: { parameters, gradients: plainLayout(length), sums: plainLayout(length) },
    };
    const updater = createUpdater([network], threads, 64);
    const wire = createWireVector(parameters);
    wire.vector.set(randomVector(length, 'parameters'));
    wire.encode();
    updater.states[0].vector.set(wire.vector);
    await updater.encodeParameters(updater.states[0]);
    expect(Buffer.from(updater.states[0].wire).equals(wire.bytes)).toBe(true);
    expect([...updater.states[0].vector]).toEqual([...wire.vector]);
    await updater.close();
  },
);
