import { sha256 } from '@fourfold/common';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { openStore } from '@fourfold/store';
import { jsonOption, printJson } from './arguments.js';

interface ImportOptions {
  store: string;
  json?: true;
}

/** `fourfold vgg import`. */
export function registerVgg(program: Command): void {
  const vgg = program.command('vgg').summary('VGG19’s weights, for the content loss').description('VGG19’s weights.');
  vgg
    .command('import')
    .summary('import published weights of VGG19 into an object store')
    .description(
      'Read VGG19’s convolutions from vgg19.npy, Keras’s vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5, torchvision’s .pth ' +
        'or safetensors, check every shape, and store them under their SHA-256, with the input that they expect. ' +
        'No pickle is executed. Files of Keras and torchvision, under their published names, are compared with their ' +
        'published hashes; for any other file, compare the printed SHA-256 with one that you trust.',
    )
    .argument('<file>', 'weights as they were published')
    .requiredOption('--store <url>', 'place to store them: a folder or s3://BUCKET/PATH')
    .addOption(jsonOption())
    .action(async (file: string, { store: url, json }: ImportOptions) => {
      const { importVgg } = await import('@fourfold/model/import');
      const { network, format, preprocessing, sourceSha256, safetensors } = await importVgg(file);
      const store = openStore(url);
      const hash = sha256(safetensors);
      const key = `${network}-${hash}.safetensors`;
      await store.put(key, safetensors);
      const place = `${store.url.replace(/\/$/, '')}/${key}`;
      if (json) return printJson({ network, vgg: place, sha256: hash, format, preprocessing, sourceSha256 });
      console.log(`${basename(file)}: ${format}, ${inputs[preprocessing]}; SHA-256 ${sourceSha256}`);
      console.log(`vgg: ${place}`);
    });
}

const inputs = {
  imagenet: 'for RGB minus ImageNet’s mean, divided by its deviation',
  caffe: 'for BGR minus the Caffe means, reordered for RGB',
};
