import { readFileSync } from 'node:fs';
import { decodeSafetensors, plainLayout } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { apply, bytesOf, randomVector } from './test-vectors.js';
import { power } from './adam-range.js';
import { splitRange } from './sums.js';
import { createUpdater } from './updater.js';
import type { MasterState, Updater } from './types.js';

const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
const update = { replicas: 1, learningRate: 1e-3, step: 1, adam };

/** A network that crosses unrounded. */
const plain = (network: { parameterCount: number; length: number; averageDecay?: number }) => {
  const layout = plainLayout(network.length);
  return { ...network, wires: { parameters: layout, gradients: layout, sums: layout } };
};

/** Use an updater of one network, then close it. */
async function withUpdater<T>(
  network: { parameterCount: number; length: number; averageDecay?: number },
  threads: number,
  use: (updater: Updater, state: MasterState) => Promise<T>,
): Promise<T> {
  const updater = createUpdater([plain(network)], threads, 4 * network.length);
  try {
    return await use(updater, updater.states[0]);
  } finally {
    await updater.close();
  }
}

function relativeError(actual: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let size = 0;
  for (const [i, value] of expected.entries()) {
    difference += (actual[i] - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(difference / size);
}

test('two steps of Adam are PyTorch’s in float64', async () => {
  const path = new URL('../../../../test/reference/adam.safetensors', import.meta.url);
  const { tensors, metadata } = decodeSafetensors(readFileSync(path), 'adam.safetensors');
  const tensor = (name: string) => tensors.find((found) => found.name === name)?.data as Float32Array;
  const { length } = tensor('parameters');
  const [learningRate, beta1, beta2, epsilon] = ['learningRate', 'beta1', 'beta2', 'epsilon'].map((key) =>
    Number(metadata[key]),
  );
  await withUpdater({ parameterCount: length, length }, 2, async (updater, state) => {
    state.vector.set(tensor('parameters'));
    for (const step of [1, 2]) {
      expect(updater.accumulate(state, 0, bytesOf(tensor(`gradient/${step}`)), true)).toBe(true);
      await apply(updater, state, { replicas: 1, learningRate, step, adam: { beta1, beta2, epsilon } });
      expect(relativeError(state.vector, tensor(`parameters/${step}`))).toBeLessThan(1e-6);
      expect(relativeError(state.firstMoments, tensor(`first-moment/${step}`))).toBeLessThan(1e-6);
      expect(relativeError(state.secondMoments, tensor(`second-moment/${step}`))).toBeLessThan(1e-6);
      // Also for the parameters' change alone: the parameters are large compared with it.
      const before = step === 1 ? tensor('parameters') : tensor('parameters/1');
      const change = (after: Float32Array) => after.map((value, i) => value - before[i]);
      expect(relativeError(change(state.vector), change(tensor(`parameters/${step}`)))).toBeLessThan(1e-4);
    }
  });
});

test('a gradient longer than the limit is scaled down to it, as PyTorch does, and a shorter one stays as it is', async () => {
  const length = 1000;
  const gradient = randomVector(length, 'clipped');
  const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value ** 2, 0));
  const momentsOf = (clipNorm: number | undefined) =>
    withUpdater({ parameterCount: length, length }, 2, async (updater, state) => {
      for (const replica of [0, 1]) updater.accumulate(state, 0, bytesOf(gradient), replica === 0);
      await apply(updater, state, { ...update, replicas: 2, clipNorm });
      return state.firstMoments.slice();
    });
  const whole = await momentsOf(undefined);
  expect(await momentsOf(norm * 1.001)).toEqual(whole);
  const coefficient = 0.25 / (norm + 1e-6);
  expect(
    relativeError(
      await momentsOf(0.25),
      whole.map((value) => value * coefficient),
    ),
  ).toBeLessThan(1e-6);
});

test('frozen running averages stay as they are, whatever workers send', async () => {
  const network = { parameterCount: 4, length: 8, frozenStatistics: true };
  await withUpdater(network, 1, async (updater, state) => {
    state.vector.set([1, 1, 1, 1, 0.5, 0.25, 2, 3]);
    updater.accumulate(state, 0, bytesOf(randomVector(8, 'batch')), true);
    await apply(updater, state, update);
    expect([...state.vector.subarray(4)]).toEqual([0.5, 0.25, 2, 3]);
    expect([...state.vector.subarray(0, 4)]).not.toContain(1);
  });
});

test('the bits of a clipped update do not depend on the number of threads', async () => {
  const length = 600_000;
  const run = (threads: number) =>
    withUpdater({ parameterCount: length, length }, threads, async (updater, state) => {
      updater.accumulate(state, 0, bytesOf(randomVector(length, 'long')), true);
      await apply(updater, state, { ...update, clipNorm: 1 });
      return bytesOf(state.vector).toString('hex');
    });
  expect(await run(3)).toBe(await run(1));
});

test.each([1, 3, 4, 5, 1003])('the bits of %i parameters do not depend on the number of threads', async (count) => {
  const length = count + 6;
  const run = (threads: number) =>
    withUpdater({ parameterCount: count, length }, threads, async (updater, state) => {
      state.vector.set(randomVector(length, 'weights'));
      for (const step of [1, 2, 3]) {
        for (const replica of [0, 1, 2]) {
          updater.accumulate(state, 0, bytesOf(randomVector(length, step, replica)), replica === 0);
        }
        await apply(updater, state, { ...update, replicas: 3, step });
      }
      return [state.vector, state.firstMoments, state.secondMoments].map((part) => bytesOf(part).toString('hex'));
    });
  const alone = await run(1);
  for (const threads of [2, 3, 4]) expect(await run(threads)).toEqual(alone);
});

test.each([1, 2, 3, 4, 5, 6, 7])('with %i parameters Adam does not touch the statistics after them', async (count) => {
  await withUpdater({ parameterCount: count, length: count + 5 }, 2, async (updater, state) => {
    const before = randomVector(count + 5, 'weights');
    const gradient = randomVector(count + 5, 'gradient');
    state.vector.set(before);
    updater.accumulate(state, 0, bytesOf(gradient), true);
    await apply(updater, state, update);
    for (let i = 0; i < count; i++) expect(state.vector[i]).toBeCloseTo(before[i] - 1e-3 * Math.sign(gradient[i]), 6);
    const momentum = Math.fround(0.1);
    for (let i = count; i < count + 5; i++) {
      const step = Math.fround(momentum * Math.fround(gradient[i] - before[i]));
      expect(state.vector[i]).toBe(Math.fround(before[i] + step));
    }
  });
});

test('a sum is the float32 sum in the order of its parts, chunk by chunk', async () => {
  await withUpdater({ parameterCount: 11, length: 11 }, 1, async (updater, state) => {
    const parts = [0, 1, 2].map((replica) => randomVector(11, replica));
    for (const [replica, part] of parts.entries()) {
      for (const [begin, end] of [
        [0, 4],
        [4, 11],
      ]) {
        updater.accumulate(state, begin * 4, bytesOf(part.subarray(begin, end)), replica === 0);
      }
    }
    const expected = parts[0].map((value, i) => Math.fround(Math.fround(value + parts[1][i]) + parts[2][i]));
    expect([...state.sum]).toEqual([...expected]);
  });
});

test.each([NaN, Infinity, -Infinity, 2 ** 63, -1e20])(
  'a chunk with %d is refused and changes nothing',
  async (value) => {
    await withUpdater({ parameterCount: 9, length: 9 }, 1, async (updater, state) => {
      const first = randomVector(9, 'first');
      updater.accumulate(state, 0, bytesOf(first), true);
      for (let place = 0; place < 9; place++) {
        const chunk = randomVector(9, 'second');
        chunk[place] = value;
        expect(updater.accumulate(state, 0, bytesOf(chunk), false)).toBe(false);
        expect(updater.accumulate(state, 0, bytesOf(chunk), true)).toBe(false);
      }
      expect([...state.sum]).toEqual([...first]);
      // The rest of a refused chunk in the staging area does not affect the next, shorter one.
      expect(updater.accumulate(state, 0, bytesOf(first.subarray(0, 1)), false)).toBe(true);
      expect([...state.sum.subarray(1)]).toEqual([...first.subarray(1)]);
    });
  },
);

/** The largest float32 below 2^63. */
const largestUsable = 2 ** 63 - 2 ** 39;

test('the largest accepted gradients leave finite moments, however many follow', async () => {
  await withUpdater({ parameterCount: 5, length: 5 }, 1, async (updater, state) => {
    const extremes = Float32Array.of(largestUsable, -largestUsable, 1.401298464324817e-45, -0, largestUsable);
    for (let replica = 0; replica < 64; replica++) {
      expect(updater.accumulate(state, 0, bytesOf(extremes), replica === 0)).toBe(true);
      if (replica === 0) expect(bytesOf(state.sum).equals(bytesOf(extremes))).toBe(true);
    }
    for (let step = 1; step < 4; step++) await apply(updater, state, { ...update, replicas: 64, step });
    for (const part of [state.vector, state.firstMoments, state.secondMoments]) {
      expect([...part].every(Number.isFinite)).toBe(true);
    }
    // A weight still moves under usual gradients.
    const [before] = state.vector;
    updater.accumulate(state, 0, bytesOf(Float32Array.of(-largestUsable, 0, 0, 0, 0)), true);
    await apply(updater, state, { ...update, step: 4 });
    expect(state.vector[0]).not.toBe(before);
  });
});

test('an update writes the staged copy alone: the committed one stays as it was, bit for bit, until the commit', async () => {
  const network = { parameterCount: 1003, length: 1010, averageDecay: 0.9 };
  await withUpdater(network, 3, async (updater, state) => {
    const hex = () =>
      [state.vector, state.average, state.firstMoments, state.secondMoments].map((part) =>
        bytesOf(part as Float32Array).toString('hex'),
      );
    for (const part of [state.vector, state.average]) part?.set(randomVector(1010, 'weights'));
    updater.accumulate(state, 0, bytesOf(randomVector(1010, 1)), true);
    await apply(updater, state, update);
    const before = hex();
    updater.accumulate(state, 0, bytesOf(randomVector(1010, 2)), true);
    expect(await updater.stage(state, { ...update, step: 2 }).finish()).toBeUndefined();
    expect(hex()).toEqual(before);
    state.commit();
    for (const [i, part] of hex().entries()) expect(part).not.toBe(before[i]);
  });
});

test.each([0, 4, 1001, 1002, 1005])(
  'a sum that is NaN or infinite at element %i is found before the commit',
  async (at) => {
    await withUpdater({ parameterCount: 1003, length: 1010 }, 3, async (updater, state) => {
      for (const value of [NaN, Infinity, -Infinity, 3e38]) {
        updater.accumulate(state, 0, bytesOf(randomVector(1010, 'fine')), true);
        state.sum[at] = value;
        // The square of 3e38 is infinite; a running average is not squared.
        expect(await updater.stage(state, update).finish()).toBe(value === 3e38 && at >= 1003 ? undefined : at);
      }
      expect(await updater.stage(state, { ...update, learningRate: 3e38 }).finish()).toBeDefined();
    });
  },
);

test('two networks’ states do not touch each other', async () => {
  const networks = [
    { parameterCount: 5, length: 7 },
    { parameterCount: 3, length: 3 },
  ];
  const updater = createUpdater(networks.map(plain), 2, 64);
  const [first, second] = updater.states;
  second.vector.fill(7);
  updater.accumulate(first, 0, bytesOf(randomVector(7, 'a')), true);
  await apply(updater, first, update);
  for (const part of [second.firstMoments, second.secondMoments, second.sum]) expect([...part]).toEqual([0, 0, 0]);
  expect([...second.vector]).toEqual([7, 7, 7]);
  await updater.close();
});

test('power is base^exponent', () => {
  expect([0, 1, 2, 3, 10].map((exponent) => power(2, exponent))).toEqual([1, 2, 4, 8, 1024]);
  for (const exponent of [1, 7, 1000, 100_001, 2 ** 40]) {
    expect(power(0.999, exponent)).toBeCloseTo(Math.pow(0.999, exponent), 12);
  }
});

test('ranges cover everything once and begin at multiples of four', () => {
  for (const count of [1, 4, 5, 63, 64, 1001]) {
    for (const parts of [1, 2, 3, 7]) {
      const ranges = splitRange(count, parts);
      expect(ranges.length).toBeLessThanOrEqual(parts);
      expect(ranges.map(({ begin }) => begin)).toEqual([0, ...ranges.slice(0, -1).map(({ end }) => end)]);
      expect(ranges.at(-1)?.end).toBe(count);
      expect(ranges.every(({ begin }) => begin % 4 === 0)).toBe(true);
    }
  }
});
