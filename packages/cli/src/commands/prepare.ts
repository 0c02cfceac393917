import { basename } from 'node:path';
import type { Command } from 'commander';
import { openStore, type ObjectStore } from '@fourfold/common';
import { prepare, prepareDefaults, type PrepareReport } from '@fourfold/data-loader';
import { abortOnInterruption } from '../interruption.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { formatBytes, formatTable } from '../terminal/table.js';
import { jsonOption, printJson, wholeNumber } from './arguments.js';

interface PrepareArguments {
  images: string;
  out: string;
  name?: string;
  tile?: number;
  sample?: number;
  seed: number;
  minimumSide: number;
  json?: true;
}

/** Photographs that are listed one by one; --json lists all. */
const listedPictures = 100;

/** `fourfold prepare`. */
export function registerPrepare(program: Command): void {
  program
    .command('prepare')
    .summary('turn a folder of photographs into shards to train on')
    .description(
      'Turn a folder of photographs (JPEG, PNG, WebP, TIFF; folders below it, too) into WebDataset shards and a ' +
        'manifest. Files that cannot be used are left out and listed with the reason.',
    )
    .requiredOption('--images <dir>', 'folder of photographs')
    .requiredOption('--out <url>', 'where the dataset goes: a folder or s3://BUCKET/PATH')
    .option('--name <name>', "the dataset's name (default: the last part of --out)")
    .option('--tile <pixels>', 'cut larger pictures into tiles of at most this side, a multiple of 4', wholeNumber(1))
    .option('--sample <count>', 'take so many photographs at random', wholeNumber(1))
    .option('--seed <number>', 'decides the sample, and the order in the shards', wholeNumber(0), prepareDefaults.seed)
    .option(
      '--minimum-side <pixels>',
      'leave smaller photographs out; no crop can be larger than this',
      wholeNumber(1),
      prepareDefaults.minimumSide,
    )
    .addOption(jsonOption())
    .action(async ({ json, ...options }: PrepareArguments) => {
      const store = openStore(options.out);
      const report = await prepareWithProgress(store, options);
      if (json) printJson({ dataset: store.url, ...report });
      else console.log(describeReport(store, report));
    });
}

async function prepareWithProgress(
  store: ObjectStore,
  { name, ...options }: Omit<PrepareArguments, 'json'>,
): Promise<PrepareReport> {
  const bar = createProgressBar('prepare', 'photographs');
  try {
    return await prepare({
      ...options,
      store,
      name: name ?? basename(store.url),
      shardSizeBytes: prepareDefaults.shardSizeBytes,
      onProgress: ({ seen, total, taken }) => bar.update(seen, total, `${taken} taken`),
      signal: abortOnInterruption(),
    });
  } finally {
    bar.stop();
  }
}

const storedAsText = { original: 'as it is', png: 'converted to PNG' };

function describeReport(store: ObjectStore, { taken, left, notSampled, manifest }: PrepareReport): string {
  const sizeBytes = manifest.shards.reduce((sum, shard) => sum + shard.sizeBytes, 0);
  const unlisted = taken.length - listedPictures;
  return [
    `took ${taken.length} of ${taken.length + left.length + notSampled} files:`,
    formatTable(
      taken
        .slice(0, listedPictures)
        .map(({ file, width, height, storedAs, samples }) => [
          `  ${file}`,
          `${width}x${height}`,
          storedAs === 'tiles' ? `cut into ${samples} tiles` : storedAsText[storedAs],
        ]),
      ['left', 'right', 'left'],
    ),
    ...(unlisted > 0 ? [`  and ${unlisted} more; --json lists all`] : []),
    ...(left.length > 0
      ? [
          `left ${left.length}:`,
          formatTable(
            left.map(({ file, reason }) => [`  ${file}`, reason]),
            ['left', 'left'],
          ),
        ]
      : []),
    ...(notSampled > 0 ? [`not needed for the sample: ${notSampled}`] : []),
    `dataset ${manifest.name}: ${manifest.samples} samples in ${manifest.shards.length} shards, ${formatBytes(sizeBytes)}, at ${store.url}`,
  ].join('\n');
}
