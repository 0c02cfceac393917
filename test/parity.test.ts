import { contentFeatures, parseRunConfig, randomStream, type RunConfig, type Network } from '@fourfold/common';
import { createMaster } from '@fourfold/coordinator';
import { probeBackends, type BackendChoice, type CropBatch } from '@fourfold/model';
import { initialVector, contentLayout, safetensorsFromVector } from '@fourfold/weights';
import { sharedVector, startComputeThread } from '@fourfold/worker';
import { beforeAll, describe, expect, test } from 'vitest';
import { lacks } from './support/needs.mjs';

/*
 * Backends stay together: content losses over 20 iterations, the coordinator's arithmetic between them. Adversarial losses
 * are not compared: they drift apart between float32 and float64, too. Each backend computes in a thread of its own.
 */

const [crop, count, iterations] = [48, 4, 20];
/** The paper's 1e-4 in a gan phase; alone, squared errors fall too slowly under it to show much. */
const learningRates = { mse: 5e-4, gan: 1e-4 };
const limits = { f32: 1e-3, bf16: 1e-2 };

type Kind = 'mse' | 'gan';

/** `vgg22`: a whole VGG19 would take wasm minutes. */
const runOf = (kind: Kind): RunConfig =>
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
      phases: [{ kind, iterations, learningRate: learningRates[kind] }],
    },
    'parity',
  );

/** The content losses of a phase's iterations. */
async function contentLosses(kind: Kind, choice: Partial<BackendChoice>): Promise<number[]> {
  const run = runOf(kind);
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
    }
    return content;
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

const probes = probeBackends();

describe.each(['mse', 'gan'] as const)('20 iterations of a %s phase', (kind) => {
  let expected: number[];
  beforeAll(async () => {
    expected = await contentLosses(kind, { backend: 'wasm' });
  });

  test('the content loss falls on wasm', () => {
    const [early, late] = [expected.slice(0, 5), expected.slice(-5)].map((part) => part.reduce((a, b) => a + b));
    expect(late).toBeLessThan(0.95 * early);
  });

  test.for([
    { backend: 'torch', precision: 'f32' },
    { backend: 'torch', precision: 'bf16' },
    { backend: 'tensorflow', precision: 'f32' },
  ] as const)(
    '$backend in $precision has the content losses of wasm',
    { timeout: 120_000 },
    async (choice, { skip }) => {
      const probe = probes.find(({ backend }) => backend === choice.backend);
      skip(lacks(choice.backend, !!probe?.found, probe?.detail));
      const losses = await contentLosses(kind, choice);
      const errors = losses.map((value, i) => Math.abs(value / expected[i] - 1));
      expect(Math.max(...errors), errors.join(' ')).toBeLessThan(limits[choice.precision]);
    },
  );
});
