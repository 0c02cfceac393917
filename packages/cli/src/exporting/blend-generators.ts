import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import {
  checkpointStore,
  openStore,
  readGenerator,
  storageError,
  writeCheckpoint,
  type Checkpoint,
} from '@fourfold/store';
import { safetensorsFromVector, type GeneratorWeights } from '@fourfold/weights';
import { generatorFile } from './model-card.js';

/** Two checkpoints, and how much of the second. */
export interface Blend {
  first: Checkpoint;
  second: Checkpoint;
  /** 0 is the first generator, 1 the second. */
  alpha: number;
}

/**
 * The network interpolation of two generators of one shape (Wang et al. 2018, ESRGAN): every parameter and statistic is
 * (1 - alpha) times the first's plus alpha times the second's. Throws `invalid` for generators of different shapes.
 */
export async function blendedGenerator({ first, second, alpha }: Blend): Promise<GeneratorWeights> {
  const [a, b] = [await readGenerator(first), await readGenerator(second)];
  const sizesOf = ({ channels, blocks }: typeof a.config) => `${channels} channels and ${blocks} blocks`;
  if (sizesOf(a.config) !== sizesOf(b.config)) {
    const shapes = `${first.store.url} has ${sizesOf(a.config)}, ${second.store.url} ${sizesOf(b.config)}`;
    throw new FourfoldError('invalid', `these generators cannot be blended: ${shapes}`, {
      hint: 'blend generators of the same shape, the second trained from the first',
    });
  }
  return { ...a, vector: a.vector.map((value, i) => (1 - alpha) * value + alpha * b.vector[i]) };
}

/**
 * Write a blend of two generators, as `blendedGenerator` makes it. The folder `out` gets a checkpoint and a card; returns the
 * checkpoint's URL. Throws `invalid` for generators of different shapes.
 */
export async function blendGenerators({ first, second, alpha }: Blend, out: string): Promise<string> {
  const { vector, layout } = await blendedGenerator({ first, second, alpha });
  const { config, seed, datasetSha256, workerKind } = second.manifest;
  const run = openStore(out);
  const name = await writeCheckpoint(
    run,
    {
      run: `blend of ${first.manifest.run} and ${second.manifest.run}`,
      iteration: second.manifest.iteration,
      versions: { generator: second.manifest.versions.generator, discriminator: 0 },
      finished: true,
      term: 1,
      ...{ config, seed, datasetSha256, workerKind },
      history: { rows: [], evaluations: [] },
      blend: [partOf(first, 1 - alpha), partOf(second, alpha)],
    },
    { 'generator.safetensors': safetensorsFromVector(layout, vector, { alpha: String(alpha) }) },
    () => Promise.resolve(),
  );
  await writeFile(join(out, 'README.md'), describeBlend({ first, second, alpha })).catch((error: unknown) => {
    throw storageError(out, 'written', error);
  });
  return checkpointStore(run, name).url;
}

/** What a blend's manifest says of one of its generators. */
function partOf(checkpoint: Checkpoint, share: number) {
  const { run, iteration, files } = checkpoint.manifest;
  return { share, run, iteration, generatorSha256: files[generatorFile(checkpoint)].sha256 };
}

/** The card: what was blended, and by which files it is recognised. */
function describeBlend({ first, second, alpha }: Blend): string {
  const describePart = (checkpoint: Checkpoint, ofAll: number) => {
    const { share, run, iteration, generatorSha256 } = partOf(checkpoint, ofAll);
    const { datasetSha256 } = checkpoint.manifest;
    const dataset = datasetSha256 && `, trained on the dataset whose manifest has the SHA-256 \`${datasetSha256}\``;
    return `- ${Number(share.toFixed(6))} of ${run}, iteration ${iteration}${dataset}; \`${generatorFile(checkpoint)}\`: \`${generatorSha256}\``;
  };
  return `# Blend of ${first.manifest.run} and ${second.manifest.run}

A generator for 4x super-resolution by network interpolation (Wang et al. 2018, ESRGAN): each weight is

${describePart(first, 1 - alpha)}
${describePart(second, alpha)}

It trades distortion for perception: the nearer to the second generator, the sharper, if that one was trained against a discriminator.
The config in its manifest is the second run's. The licences of both generators' photographs apply.

    npx fourfold upscale IN.jpg OUT.png --checkpoint FOLDER
`;
}
