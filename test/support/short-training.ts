import { createHash } from 'node:crypto';
import { contentFeatures, parseRunConfig, randomStream, type Network, type RunConfig } from '@fourfold/common';
import { createMaster } from '@fourfold/coordinator';
import type { BackendChoice, CropBatch } from '@fourfold/model';
import { contentLayout, initialVector, safetensorsFromVector } from '@fourfold/weights';
import { sharedVector, startComputeThread, type Compute } from '@fourfold/worker';

/*
 * A short training without an exchange, to compare backends by: the worker's compute thread, and the coordinator's arithmetic between
 * its halves.
 */

const [crop, count] = [48, 4];
/** The paper's 1e-4 in a gan phase; alone, squared errors fall too slowly under it to show much. */
const learningRates = { mse: 5e-4, gan: 1e-4 };
export type Kind = 'mse' | 'gan';

export interface ShortTraining {
  /** The content loss of each iteration. */
  content: number[];
  /** SHA-256 of the networks' weights at the end. */
  weights: string;
}

/** `vgg22`: a whole VGG19 would take wasm minutes. */
const runOf = (kind: Kind, graphs: boolean, iterations: number): RunConfig =>
  parseRunConfig(
    {
      name: 'parity',
      seed: 1,
      dataset: 'none',
      vgg: 'vgg',
      generator: { channels: 16, blocks: 2 },
      discriminator: { channels: 8, dense: 32 },
      data: { globalBatch: count, replicas: 1, crop },
      loss: { content: 'vgg22' },
      workers: { graphs },
      phases: [{ kind, iterations, learningRate: learningRates[kind] }],
    },
    'parity',
  );

export interface ShortTrainingOptions {
  /** On CUDA: run graphs instead of kernel by kernel. */
  graphs?: boolean;
  iterations?: number;
  /** Called after each iteration. */
  after?: (iteration: number, compute: Compute) => Promise<void>;
}

/** Train small networks for some iterations of a phase. */
export async function trainShortly(
  kind: Kind,
  choice: Partial<BackendChoice>,
  { graphs = true, iterations = 20, after }: ShortTrainingOptions = {},
): Promise<ShortTraining> {
  const run = runOf(kind, graphs, iterations);
  const { compute, close } = startComputeThread();
  const master = createMaster(run);
  try {
    await compute.start(run, { backend: 'wasm', device: 'cpu', precision: 'f32', threads: 1, ...choice }, vgg());
    const halves: Network[] = kind === 'gan' ? ['discriminator', 'generator'] : ['generator'];
    const gradients = new Map(halves.map((network) => [network, sharedVector(master.layout(network).length)]));
    const share = (network: Network) => compute.setParameters(network, master.state(network).vector);
    for (const network of halves) await share(network);
    const content: number[] = [];
    for (let iteration = 0; iteration < iterations; iteration++) {
      const batch = batchOf(iteration);
      for (const [network, gradient] of gradients) {
        const place = { iteration, replica: 0, phase: 0 };
        const losses = await compute[`${network}Half`](place, batch, gradient);
        if (network === 'generator') content.push(losses['content']);
        master.state(network).sum.set(gradient);
        await master.update(network, learningRates[kind]);
        await share(network);
      }
      await after?.(iteration, compute);
    }
    const hash = createHash('sha256');
    for (const network of halves) hash.update(master.state(network).vector);
    return { content, weights: hash.digest('hex') };
  } finally {
    await close();
    await master.close();
  }
}

/** Smooth pictures, another few each iteration: waves of random direction, length and colour. */
function batchOf(iteration: number): CropBatch {
  const random = randomStream('waves', iteration);
  const between = (low: number, high: number) => low + ((high - low) * random.below(1000)) / 1000;
  const batch: CropBatch = {
    hr: new Uint8Array(count * crop * crop * 3),
    lr: new Uint8Array((count * crop * crop * 3) / 16),
    count,
    crop,
  };
  for (let plane = 0; plane < count * 3; plane++) {
    const [picture, channel] = [Math.floor(plane / 3), plane % 3];
    const [across, down, start] = [between(-0.4, 0.4), between(-0.4, 0.4), between(0, 6)];
    const level = (x: number, y: number) => Math.round(127.5 + 120 * Math.sin(across * x + down * y + start));
    const fill = (pixels: Uint8Array, side: number, step: number, middle: number) => {
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++)
          pixels[((picture * side + y) * side + x) * 3 + channel] = level(x * step + middle, y * step + middle);
    };
    fill(batch.hr, crop, 1, 0);
    fill(batch.lr, crop / 4, 4, 1.5);
  }
  return batch;
}

/** VGG19's first layers with random weights under which features keep their size (He et al. 2015). */
function vgg(): Uint8Array {
  const layout = contentLayout(contentFeatures({ content: 'vgg22' })!);
  const vector = initialVector(layout, 1).map((value) => value * Math.sqrt(6));
  return safetensorsFromVector(layout, vector, {});
}
