import { parseRunConfig, type RunConfig } from '@fourfold/common';

/** The config of a run of small networks, nine iterations long, with changes. */
export const smallConfig = (changes: object = {}): RunConfig =>
  parseRunConfig(
    {
      name: 'small',
      seed: 7,
      dataset: 'photos',
      generator: { channels: 2, blocks: 1 },
      discriminator: { channels: 2, dense: 4 },
      data: { crop: 16 },
      loss: { content: 'mse' },
      phases: [{ kind: 'gan', iterations: 9, learningRate: 1e-3 }],
      ...changes,
    },
    'a test',
  );
