import { alertTiming } from './timing.js';

/** What an iteration of a run costs, and how often it writes a checkpoint. */
interface Sizes {
  channels: number;
  globalBatch: number;
  replicas: number;
  crop: number;
  checkpointEvery: number;
}

const usual: Sizes = { channels: 8, globalBatch: 8, replicas: 4, crop: 48, checkpointEvery: 2 };

/** The config of a run with tiny networks and, if nothing else is said, four replicas, in YAML, for clusters that may lose any part at any time. */
export const clusterConfig = (
  phases: readonly { kind: string; iterations: number; learningRate: number }[],
  timing: object = { ...alertTiming, silenceMs: 2_000, stragglerFactor: 3 },
  sizes: Partial<Sizes> = {},
): string => {
  const { channels, globalBatch, replicas, crop, checkpointEvery } = { ...usual, ...sizes };
  return `
seed: 7
generator: { channels: ${channels}, blocks: 1 }
discriminator: { channels: 4, dense: 16 }
data: { globalBatch: ${globalBatch}, replicas: ${replicas}, crop: ${crop}, cropsPerPicture: 4, windowPictures: 4, flips: true, quarterTurns: true }
loss: { content: mse }
phases: ${JSON.stringify(phases)}
generatorAverage: 0.9
checkpoints: { every: ${checkpointEvery} }
workers: { backend: wasm, threads: 1 }
timing: ${JSON.stringify(timing)}
`;
};
