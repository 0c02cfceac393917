import { alertTiming } from './timing.js';

/** The config of a run with tiny networks and four replicas, in YAML, for clusters that may lose any part at any time. */
export const clusterConfig = (
  phases: readonly { kind: string; iterations: number; learningRate: number }[],
  timing: object = { ...alertTiming, silenceMs: 2_000, stragglerFactor: 3 },
): string => `
seed: 7
generator: { channels: 8, blocks: 1 }
discriminator: { channels: 4, dense: 16 }
data: { globalBatch: 8, replicas: 4, crop: 48, cropsPerPicture: 4, windowPictures: 4, flips: true, quarterTurns: true }
loss: { content: mse }
phases: ${JSON.stringify(phases)}
generatorAverage: 0.9
checkpoints: { every: 2 }
workers: { backend: wasm, threads: 1 }
timing: ${JSON.stringify(timing)}
`;
