import { parseRunConfig } from '@fourfold/common';
import { expect, test } from 'vitest';
import { networkWires } from './wires.js';

const runOf = (exchange: object, replicas = 1) =>
  parseRunConfig(
    {
      name: 'wires',
      dataset: 'd',
      loss: { content: 'mse' },
      data: { globalBatch: 16 * replicas, replicas },
      phases: [{ kind: 'gan', iterations: 1, learningRate: 1e-4 }],
      exchange,
    },
    'test',
  );
const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;

test('sizes of the formats in bytes at paper size', () => {
  const sizes = (exchange: object) => {
    const { generator, discriminator } = networkWires(runOf(exchange, 2));
    return [generator, discriminator].map(({ parameters, gradients }) => [
      megabytes(parameters.byteLength),
      megabytes(gradients.byteLength),
    ]);
  };
  expect(sizes({})).toEqual([
    [6.2, 6.2],
    [94.3, 94.3],
  ]);
  expect(sizes({ gradients: 'bf16', parameters: 'bf16' })).toEqual([
    [3.1, 3.1],
    [47.1, 47.1],
  ]);
  expect(sizes({ gradients: 'bf16', denseGradient: 'factors' })).toEqual([
    [6.2, 3.1],
    [94.3, 11.9],
  ]);
});

test('a sum along a chain has no factors, and its statistics are never rounded', () => {
  const sumsOf = (exchange: object) => {
    const { generator, discriminator } = networkWires(runOf(exchange, 2));
    return [generator, discriminator].map(({ sums }) => [
      megabytes(sums.byteLength),
      sums.sections.map(({ encoding, begin, byteBegin }) => [encoding, begin, byteBegin]),
    ]);
  };
  expect(sumsOf({ denseGradient: 'factors' })).toEqual([
    [6.2, [['f32', 0, 0]]],
    [
      18.8,
      [
        ['f32', 0, 0],
        ['f32', 23_561_600, 18_748_928],
      ],
    ],
  ]);
  expect(sumsOf({ sums: 'bf16' })).toEqual([
    [
      3.1,
      [
        ['bf16', 0, 0],
        ['f32', 1_548_547, 3_097_096],
      ],
    ],
    [47.1, [['bf16', 0, 0]]],
  ]);
});

test('an iteration brings a worker at most 26 MB of deltas at paper size', () => {
  const { generator, discriminator } = networkWires(runOf({ parameters: 'int8' }));
  const bytes = [generator, discriminator].map(({ deltas }) => megabytes(deltas?.byteLength ?? 0));
  expect(bytes).toEqual([1.6, 23.9]);
});

test('factors have a row for each real and each generated crop of a replica; the rest is unchanged', () => {
  const { discriminator } = networkWires(runOf({ denseGradient: 'factors' }, 4));
  const { gradients, gradientLayout, parameters } = discriminator;
  expect(gradients.sections.map(({ encoding }) => encoding)).toEqual(['f32', 'factors', 'f32']);
  expect(gradients.sections[1].factors).toEqual({ rows: 32, inputs: 18432, outputs: 1024 });
  expect([gradients.length, parameters.length]).toEqual([23_563_649, 23_563_649]);
  expect(gradientLayout.length).toBe(gradients.sourceLength);
  const shapes = new Map(gradientLayout.tensors.map(({ name, shape }) => [name, shape]));
  expect(shapes.get('dense1/weight/inputs')).toEqual([32, 18432]);
  expect(shapes.get('dense1/weight/outputGradients')).toEqual([32, 1024]);
  expect(shapes.has('dense1/weight')).toBe(false);
  const inputs = gradientLayout.tensors.find(({ name }) => name === 'dense1/weight/inputs');
  expect(inputs?.offset).toBe(gradients.sections[1].sourceBegin);
});

test('the generator’s batch statistics are never rounded', () => {
  const { generator } = networkWires(runOf({ gradients: 'bf16', parameters: 'bf16', denseGradient: 'factors' }));
  for (const { sections } of [generator.gradients, generator.parameters]) {
    expect(sections.map(({ encoding, count }) => [encoding, count])).toEqual([
      ['bf16', 1_548_547],
      ['f32', 33 * 2 * 64],
    ]);
  }
});
