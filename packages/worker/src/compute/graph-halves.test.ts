import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contentFeatures, loadRunConfig, type Logger, type RunConfig } from '@fourfold/common';
import {
  createDiscriminator,
  createFeatures,
  createGenerator,
  probeBackends,
  selectBackend,
  tensorCount,
  uploadParameters,
} from '@fourfold/model';
import {
  contentConvolutions,
  contentLayout,
  discriminatorLayout,
  factoredWeights,
  generatorLayout,
  initialVector,
} from '@fourfold/weights';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createGraphHalves } from './graph-halves.js';
import { createHalves, type Halves, type HalvesParts } from './halves.js';
import { lacks } from '../../../../test/support/needs.mjs';

/** Of layers before and after a pooling, with pixels beside them. */
const ofFeatures = [
  'discriminator: { head: features, channels: 4, features: [conv1_1, conv2_1] }',
  'loss:',
  '  content: features',
  '  features: { network: vgg16, layers: [{ layer: conv1_1, relu: before }, { layer: conv2_1 }], distance: absolute }',
  '  pixels: { weight: 1 }',
  '  adversarial: relativistic',
].join('\n');

const isSetUp = probeBackends().some(({ backend, found }) => backend === 'torch' && found);

describe.skipIf(lacks('torch', isSetUp))(
  'graphs on a device that cannot capture them (after npm run setup:torch)',
  () => {
    let folder: string;
    const configs = new Map<'pixels' | 'features', RunConfig>();
    beforeAll(async () => {
      await selectBackend({ backend: 'torch', device: 'cpu', precision: 'f32', threads: 1 });
      folder = await mkdtemp(join(tmpdir(), 'fourfold-graphs-'));
      const generator = 'generator: { channels: 4, blocks: 1 }';
      const networks = {
        pixels: `${generator}\ndiscriminator: { channels: 4, dense: 8 }\nloss: { content: mse }`,
        features: `${generator}\n${ofFeatures}\nvgg: vgg.safetensors`,
      };
      const phases = ['mse', 'gan']
        .map((kind) => `  - { kind: ${kind}, iterations: 3, learningRate: 1e-4 }`)
        .join('\n');
      const rest = 'data: { globalBatch: 2, replicas: 2, crop: 32 }\ndataset: dataset';
      for (const sees of ['pixels', 'features'] as const) {
        const path = join(folder, `${sees}.yaml`);
        await writeFile(path, `recipe: demo\nname: graphs\n${networks[sees]}\nphases:\n${phases}\n${rest}\n`);
        configs.set(sees, await loadRunConfig(path));
      }
    });
    afterAll(() => rm(folder, { recursive: true }));

    function createParts(config: RunConfig): HalvesParts {
      const features = contentFeatures(config.loss);
      const vgg = features && contentLayout(features);
      const layouts = {
        generator: generatorLayout(config.generator),
        discriminator: discriminatorLayout(config.discriminator, config.data.crop),
      };
      const [generator, discriminator] = [layouts.generator, layouts.discriminator].map((layout) =>
        uploadParameters(layout, initialVector(layout, 1)),
      );
      const networks = {
        generator: { layer: createGenerator(config.generator, 'training'), parameters: generator },
        discriminator: { ...createDiscriminator(config.discriminator, features?.layers), parameters: discriminator },
      };
      return {
        config,
        gradientLayouts: layouts,
        factored: factoredWeights(config),
        networks: { generator: () => networks.generator, discriminator: () => networks.discriminator },
        vgg: features &&
          vgg && {
            features: createFeatures(contentConvolutions(features), features.layers),
            parameters: uploadParameters(vgg, initialVector(vgg, 2)),
          },
      };
    }

    test.each([
      ['mse', 'pixels'],
      ['gan', 'pixels'],
      ['gan', 'features'],
    ] as const)('%s, %s: warns once, and computes what the eager halves do', async (kind, sees) => {
      const warn = vi.fn();
      const config = configs.get(sees)!;
      const parts = createParts(config);
      const [graphs, eager] = [createGraphHalves(parts, { warn } as unknown as Logger), createHalves(parts)];
      const { crop } = config.data;
      const levels = (side: number, step: number) =>
        Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * step) % 256);
      const before = tensorCount();
      for (let iteration = 0; iteration < 3; iteration++) {
        for (const half of kind === 'gan' ? (['discriminator', 'generator'] as const) : (['generator'] as const)) {
          for (const replica of [0, 1]) {
            const step = 7 + 2 * iteration + replica;
            const batch = { count: 1, crop, hr: levels(crop, step), lr: levels(crop / 4, step) };
            const place = { iteration, replica, phase: kind === 'mse' ? 0 : 1 };
            const resultOf = async (halves: Halves) => {
              const gradient = new Float32Array(parts.gradientLayouts[half].length);
              const losses = await halves[half](place, batch, gradient);
              halves.content(place);
              return { losses, gradient };
            };
            expect(await resultOf(graphs)).toEqual(await resultOf(eager));
          }
        }
      }
      expect(warn).toHaveBeenCalledOnce();
      expect(warn.mock.calls[0][1]).toContain('workers.graphs: false');
      graphs.reset();
      eager.reset();
      expect(tensorCount()).toBe(before);
    });
  },
);
