import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  findProgram,
  freePorts,
  startClusterServers,
  type ClusterRole,
  type ClusterServers,
} from '@fourfold/local-servers';
import { initialVector, featureLayout, decodeSafetensors, safetensorsFromVector } from '@fourfold/weights';
import { expectFinished, killAll, photographs, startFourfold, type Process } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * The paper's five variants, from their recipes, on a cluster: NATS and MinIO with certificates, a coordinator, a data-loader, a
 * worker, photographs, a whole VGG19 with random weights. Each has its recipe's phases, shortened.
 */

const servers = ['nats-server', 'minio'] as const;
const bucket = 's3://variants';

/** The settings of test/reference/variants.safetensors, which holds what PyTorch computes in the first iteration. */
const reference = new URL('reference/variants.safetensors', import.meta.url);
const images = ['astronaut.png', 'chelsea.png'];

/** Mean squared errors have to fall visibly. */
const many = 30;
/** VGG19 takes most of an iteration's time, and its loss has to be there and finite. */
const few = 10;
const variants = [
  { variant: 'srresnet-mse', iterations: many, losses: ['content'] },
  { variant: 'srresnet-vgg22', iterations: few, losses: ['content', 'totalVariation'] },
  { variant: 'srgan-mse', iterations: many, losses: ['content', 'adversarial'] },
  { variant: 'srgan-vgg22', iterations: few, losses: ['content', 'adversarial'] },
  { variant: 'srgan-vgg54', iterations: few, losses: ['content', 'adversarial'] },
];

/** Runs of one name, so that one data-loader serves all, in stores of their own. */
const name = 'variants';
const storeOf = (variant: string) => `${bucket}/store/${variant}`;

/** The recipe's schedule, shortened: 10^6 iterations, or from that run's generator on twice 10^5. */
const scheduleOf = (variant: string, iterations: number): string[] =>
  variant === 'srresnet-mse'
    ? // Faster than the paper's 1e-4, so that 30 iterations show an effect.
      [`scheduleScale=${iterations / 1e6}`, 'phases.0.learningRate=2.0e-3']
    : [`scheduleScale=${iterations / 2e5}`, `startFrom=${storeOf('srresnet-mse')}/runs/${name}`];

describe.skipIf(lacks('servers', servers.every(findProgram)))('the five variants (after npm run setup:servers)', () => {
  let folder: string;
  let cluster: ClusterServers;
  let vgg: string;
  let settings: Record<string, string>;
  let firstLoss: number;
  /** Of every iteration, by variant. */
  const content = new Map<string, number[]>();

  const start = (role: ClusterRole, ...args: string[]) => startFourfold(args, [], cluster.environment(role));

  beforeAll(async () => {
    [folder, cluster] = await Promise.all([mkdtemp(join(tmpdir(), 'fourfold-variants-')), startClusterServers()]);
    const { tensors, metadata } = decodeSafetensors(await readFile(reference), 'variants');
    settings = metadata;
    firstLoss = tensors.find((tensor) => tensor.name === 'loss/srresnet-mse/content')?.data[0] ?? NaN;
    await mkdir(join(folder, 'images'));
    for (const name of images) await cp(join(photographs, 'train', name), join(folder, 'images', name));
    const prepared = start('local', 'prepare', '--images', join(folder, 'images'), '--out', `${bucket}/dataset`);
    await expectFinished(prepared);
    vgg = await importRandomVgg();
    start('data-loader', 'data-loader', '--config', await configOf('srresnet-mse'));
  });
  afterAll(async () => {
    await killAll();
    await cluster.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** The URL of VGG19 with weights under which features keep their size (He et al. 2015). */
  async function importRandomVgg(): Promise<string> {
    const layout = featureLayout('vgg19');
    const file = join(folder, 'vgg19.safetensors');
    const vector = initialVector(layout, 1).map((value) => value * Math.sqrt(6));
    await writeFile(file, safetensorsFromVector(layout, vector, {}));
    const imported = start('local', 'vgg', 'import', file, '--store', `${bucket}/vgg`, '--json');
    await expectFinished(imported);
    await rm(file);
    return (JSON.parse(imported.output()) as { vgg: string }).vgg;
  }

  async function configOf(variant: string): Promise<string> {
    const { seed, crop, generator, discriminator } = settings;
    const path = join(folder, `${variant}.yaml`);
    const config = `recipe: ${variant}
name: ${name}
dataset: ${bucket}/dataset
store: ${storeOf(variant)}
${variant.includes('vgg') ? `vgg: ${vgg}` : ''}
seed: ${seed}
generator: ${generator}
discriminator: ${discriminator}
data: { globalBatch: 2, crop: ${crop} }
batches: { from: nats, announceMs: 200 }
workers: { threads: 1 }
`;
    await writeFile(path, config);
    return path;
  }

  /** The losses of every update of a network, in the order of the iterations. */
  function lossesOf(coordinator: Process, network: 'generator' | 'discriminator'): Record<string, number>[] {
    const updates = coordinator.events.filter((event) => event.event === 'update' && event['network'] === network);
    return updates.map(({ losses }) => losses as Record<string, number>);
  }

  test.each(variants)('$variant', async ({ variant, iterations, losses: named }) => {
    const schedule = scheduleOf(variant, iterations);
    const args = ['--config', await configOf(variant), ...schedule.flatMap((setting) => ['--set', setting])];
    const [port] = await freePorts(1);
    const coordinator = start('coordinator', 'coordinator', ...args, '--listen', `127.0.0.1:${port}`);
    const worker = start('worker', 'worker', ...args);
    await expectFinished(coordinator);
    await expectFinished(worker);

    const losses = lossesOf(coordinator, 'generator');
    expect(losses).toHaveLength(iterations);
    for (const row of losses) {
      expect(Object.keys(row).sort()).toEqual([...named, 'total'].sort());
      expect(Object.values(row).every(Number.isFinite), JSON.stringify(row)).toBe(true);
    }
    const against = lossesOf(coordinator, 'discriminator');
    expect(against).toHaveLength(named.includes('adversarial') ? iterations : 0);
    for (const row of against) expect(Object.values(row).every(Number.isFinite), JSON.stringify(row)).toBe(true);

    content.set(
      variant,
      losses.map((row) => row['content']),
    );
    if (variant === 'srresnet-mse') {
      expect(losses[0]['content'] / firstLoss).toBeCloseTo(1, 4);
    } else {
      const from = coordinator.events.find(({ event }) => event === 'started-from');
      expect(from).toMatchObject({ iteration: many });
    }
  });

  test('the same batches, once more from the trained generator, have a lower error', () => {
    const mean = (values: number[] = []) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(content.get('srgan-mse'))).toBeLessThan(0.9 * mean(content.get('srresnet-mse')));
  });
});
