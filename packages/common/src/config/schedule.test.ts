import { totalIterations } from './iterations.js';
import type { PhaseConfig } from './schema.js';
import { expect, test } from 'vitest';
import { isCheckpointDue, isCheckpointExact, isEvaluated, nextHalf, positionAt, type Versions } from './schedule.js';

const phases: PhaseConfig[] = [
  { kind: 'mse', iterations: 4, learningRate: 0.1, decay: 'cosine' },
  { kind: 'gan', iterations: 2, learningRate: 0.01, decay: 'constant' },
  { kind: 'content', iterations: 1, learningRate: 0.5, decay: 'constant' },
  { kind: 'gan', iterations: 2, learningRate: 0.001, decay: 'constant' },
];

test('an iteration’s place follows from its number', () => {
  expect(totalIterations({ phases })).toBe(9);
  const places = Array.from({ length: 9 }, (_, i) => positionAt(phases, i));
  expect(places.map(({ phase }) => phase)).toEqual([0, 0, 0, 0, 1, 1, 2, 3, 3]);
  expect(places.map(({ discriminatorVersion }) => discriminatorVersion)).toEqual([0, 0, 0, 0, 0, 1, 2, 2, 3]);
  expect(places.flatMap(({ iteration, endsPhase }) => (endsPhase ? [iteration] : []))).toEqual([3, 5, 6, 8]);
});

test('the cosine falls from the learning rate towards 0 within its phase', () => {
  const rates = [0, 1, 2, 3].map((i) => positionAt(phases, i).learningRate);
  const expected = [0, 1, 2, 3].map((i) => 0.1 * (0.5 + 0.5 * Math.cos((i / 4) * Math.PI)));
  for (const [i, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[i], 12);
  expect(rates[0]).toBe(0.1);
  expect([4, 5, 6, 7].map((i) => positionAt(phases, i).learningRate)).toEqual([0.01, 0.01, 0.5, 0.001]);
});

test('from the first half to the last: in a gan iteration the discriminator goes first', () => {
  const versions: Versions = { generator: 0, discriminator: 0 };
  const halves: string[] = [];
  for (let half; (half = nextHalf(phases, versions));) {
    halves.push(`${half.position.iteration}${half.network[0]}`);
    expect(half.position.discriminatorVersion).toBe(
      half.network === 'discriminator' || half.position.kind !== 'gan'
        ? versions.discriminator
        : versions.discriminator - 1,
    );
    versions[half.network]++;
  }
  expect(halves.join(' ')).toBe('0g 1g 2g 3g 4d 4g 5d 5g 6g 7d 7g 8d 8g');
  expect(versions).toEqual({ generator: 9, discriminator: 4 });
});

test('a discriminator’s learning rate of its own decays as the generator’s', () => {
  const gan: PhaseConfig = { kind: 'gan', iterations: 3, learningRate: 0.1, decay: 'cosine' };
  const rates = (phase: PhaseConfig) =>
    [0, 1, 2].map((i) => [
      nextHalf([phase], { generator: i, discriminator: i })?.learningRate,
      nextHalf([phase], { generator: i, discriminator: i + 1 })?.learningRate,
    ]);
  const alike = rates(gan);
  expect(alike.map(([ofDiscriminator]) => ofDiscriminator)).toEqual(alike.map(([, ofGenerator]) => ofGenerator));
  for (const [i, [ofDiscriminator, ofGenerator]] of rates({ ...gan, discriminatorLearningRate: 0.4 }).entries()) {
    expect(ofGenerator).toBe(alike[i][1]);
    expect(ofDiscriminator).toBeCloseTo(4 * ofGenerator!, 12);
  }
});

test('after the end there is nothing', () => {
  expect(nextHalf(phases, { generator: 9, discriminator: 4 })).toBeUndefined();
  expect(nextHalf(phases, { generator: 12, discriminator: 4 })).toBeUndefined();
  expect(() => positionAt(phases, 9)).toThrow(RangeError);
});

test('evaluations are due at multiples and at the ends of phases, and have checkpoints', () => {
  const validation = { images: 'held-out', every: 5, pictures: 0 };
  const checkpoints = { every: 8, keep: 1 };
  const iterations = Array.from({ length: 12 }, (_, i) => i);
  expect(iterations.filter((i) => isEvaluated({ phases, validation }, i))).toEqual([4, 5, 6, 7, 9, 10]);
  expect(iterations.filter((i) => isEvaluated({ phases }, i))).toEqual([]);
  const due = (i: number) => isCheckpointDue({ phases, validation, checkpoints }, i);
  expect(iterations.slice(1).filter(due)).toEqual([4, 5, 6, 7, 8, 9, 10]);
  expect(iterations.slice(1).filter((i) => isCheckpointDue({ phases, checkpoints }, i))).toEqual([4, 6, 7, 8, 9]);
});

test('a checkpoint is exact where a phase ends, the generator is evaluated, or the checkpoint stays for good', () => {
  const validation = { images: 'held-out', every: 5, pictures: 0 };
  const exact = (config: Parameters<typeof isCheckpointExact>[0]) =>
    Array.from({ length: 10 }, (_, i) => i + 1).filter((i) => isCheckpointExact(config, i));
  expect(exact({ phases, checkpoints: { every: 1, keep: 1 } })).toEqual([4, 6, 7, 9]);
  expect(exact({ phases, checkpoints: { every: 2, keep: 1, keepEvery: 8 } })).toEqual([4, 6, 7, 8, 9]);
  expect(exact({ phases, checkpoints: { every: 3, keep: 1, keepEvery: 8 } })).toEqual([4, 6, 7, 9]);
  expect(exact({ phases, validation, checkpoints: { every: 1, keep: 1 } })).toEqual([4, 5, 6, 7, 9, 10]);
});
