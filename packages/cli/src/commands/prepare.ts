import { basename } from 'node:path';
import { Option, type Command } from 'commander';
import { FourfoldError } from '@fourfold/common';
import { openStore, type ObjectStore } from '@fourfold/store';
import { formatsRead } from '@fourfold/imaging';
import {
  encodings,
  parts,
  prepare,
  prepareDefaults,
  readDatasetManifest,
  type DatasetManifest,
  type Encoding,
  type PairsReport,
  type Part,
  type PrepareReport,
} from '@fourfold/data-loader';
import { abortWithParent } from '../interruption.js';
import { describeLeft } from '../terminal/left-files.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { formatBytes, formatCount, formatTable } from '../terminal/table.js';
import { collect, jsonOption, printJson, wholeNumber } from './arguments.js';

interface PrepareArguments {
  images: string[];
  pairs?: string;
  part?: Part | 'all';
  out: string;
  name?: string;
  tile?: number;
  encoding?: Encoding;
  sample?: number;
  seed: number;
  minimumSide: number;
  ifMissing: boolean;
  json?: true;
}

/** How many photographs are listed one by one; --json lists all. */
const listedPictures = 100;

/** `fourfold prepare`. */
export function registerPrepare(program: Command): void {
  program
    .command('prepare')
    .summary('turn photographs into shards to train on')
    .description(
      `Turn photographs (${formatsRead}) into WebDataset shards and a manifest. They may be in a folder, its subfolders, ` +
        'and zips and tars in them, or in a zip or tar, which is read in place. DIV2K, ImageNet, MirFlickr25k, Set5, Set14, ' +
        'BSD100, BSD300 and BSD500 are recognised by name. Unusable files are left out and listed with the reason.',
    )
    .requiredOption('--images <place>', 'folder of photographs, or a zip, tar or tgz; may be repeated', collect)
    .option(
      '--pairs <place>',
      'LR pictures that came with the photographs, a quarter of their size, to train on as they are',
    )
    .addOption(
      new Option('--part <name>', 'part of a data set that has parts (default: train, if there is one)').choices([
        ...parts,
        'all',
      ]),
    )
    .requiredOption('--out <url>', 'place of the dataset: a folder or s3://BUCKET/PATH')
    .option('--name <name>', 'name of the dataset (default: the last part of --out)')
    .option(
      '--tile <pixels>',
      'largest side of a picture, a multiple of 4: larger ones are cut into tiles',
      wholeNumber(1),
    )
    .addOption(
      new Option(
        '--encoding <name>',
        'form in which pictures are stored: keep as they are, or pixels: larger, and crops are read without decoding ' +
          '(default: pixels with --tile or --pairs, else keep)',
      ).choices(encodings),
    )
    .option('--sample <count>', 'number of photographs to take at random', wholeNumber(1))
    .option(
      '--seed <number>',
      'seed of the sample and of the order in the shards',
      wholeNumber(0),
      prepareDefaults.seed,
    )
    .option(
      '--minimum-side <pixels>',
      'smallest side of a photograph: smaller ones are left out, and no crop can be larger',
      wholeNumber(1),
      prepareDefaults.minimumSide,
    )
    .option('--if-missing', 'do nothing if the dataset exists', false)
    .addOption(jsonOption())
    .action(async ({ json, ifMissing, ...options }: PrepareArguments) => {
      const store = openStore(options.out);
      const manifest = ifMissing ? await findDataset(store) : undefined;
      if (manifest && json) return printJson({ dataset: store.url, manifest });
      if (manifest) return console.log(`it exists: ${describeDataset(store, manifest)}`);
      const report = await prepareWithProgress(store, options);
      if (json) printJson({ dataset: store.url, ...report });
      else console.log(describeReport(store, report));
    });
}

/** The dataset of a place; undefined if it has none. */
const findDataset = (store: ObjectStore): Promise<DatasetManifest | undefined> =>
  readDatasetManifest(store).catch((error: unknown) => {
    if (error instanceof FourfoldError && error.code === 'not-found') return undefined;
    throw error;
  });

async function prepareWithProgress(
  store: ObjectStore,
  { name, ...options }: Omit<PrepareArguments, 'json' | 'ifMissing'>,
): Promise<PrepareReport> {
  const listing = createProgressBar('list', 'of the archive');
  const bar = createProgressBar('prepare', 'photographs');
  try {
    return await prepare({
      ...options,
      store,
      name: name ?? basename(store.url),
      encoding: options.encoding ?? (options.tile === undefined && options.pairs === undefined ? 'keep' : 'pixels'),
      shardSizeBytes: prepareDefaults.shardSizeBytes,
      onListing: (done, total) => listing.update(done, total, ''),
      onEstimate: ({ sizeBytes, freeBytes }) => {
        listing.stop();
        const free = freeBytes === undefined ? '' : `; ${formatBytes(freeBytes)} are free`;
        process.stderr.write(`the dataset will take about ${formatBytes(sizeBytes)}${free}\n`);
      },
      onResume: ({ photographs, shards }) =>
        process.stderr.write(
          `resuming where an interrupted prepare stopped: ${formatCount(photographs, 'photograph')} in ${formatCount(shards, 'shard')}\n`,
        ),
      onProgress: ({ seen, total, taken }) => bar.update(seen, total, `${taken} taken`),
      signal: abortWithParent(),
    });
  } finally {
    listing.stop();
    bar.stop();
  }
}

const storedAsText = { original: 'as it is', png: 'converted to PNG' };

function describeReport(store: ObjectStore, report: PrepareReport): string {
  const { taken, left, notSampled, manifest, recognised, pairs } = report;
  const unlisted = taken.length - listedPictures;
  return [
    ...(recognised ? [`this is ${recognised.set}${recognised.part ? `, its ${recognised.part} part` : ''}`] : []),
    `took ${taken.length} of ${formatCount(taken.length + left.length + notSampled, 'file')}:`,
    formatTable(
      taken
        .slice(0, listedPictures)
        .map(({ file, width, height, storedAs, samples }) => [
          `  ${file}`,
          `${width}x${height}`,
          storedAs === 'tiles' ? `cut into ${formatCount(samples, 'tile')}` : storedAsText[storedAs],
        ]),
      ['left', 'right', 'left'],
    ),
    ...(unlisted > 0 ? [`  and ${unlisted} more; --json lists all`] : []),
    ...(left.length > 0 ? [`left out ${left.length}:`, describeLeft(left)] : []),
    ...(notSampled > 0 ? [`not needed for the sample: ${notSampled}`] : []),
    ...(pairs ? describePairs(pairs) : []),
    describeDataset(store, manifest),
  ].join('\n');
}

function describeDataset(store: ObjectStore, { name, samples, shards, encoding }: DatasetManifest): string {
  const sizeBytes = shards.reduce((sum, shard) => sum + shard.sizeBytes, 0);
  const counts = `${formatCount(samples, 'sample')} in ${formatCount(shards.length, 'shard')}${encoding === 'pixels' ? ' of pixels' : ''}`;
  return `dataset ${name}: ${counts}, ${formatBytes(sizeBytes)}, at ${store.url}`;
}

/** How the official LR pictures compare with ours. */
function describePairs({ equal, different }: PairsReport): string[] {
  const rows = different
    .slice(0, listedPictures)
    .map(({ file, lr, values, of, largest, reason }) => [
      `  ${file}`,
      lr,
      reason ?? `${values} of ${of} values differ, by at most ${largest}`,
    ]);
  const unlisted = different.length - rows.length;
  return [
    `official LR pictures: ${equal} identical to ours bit for bit, ${different.length} different${rows.length > 0 ? ':' : ''}`,
    ...(rows.length > 0 ? [formatTable(rows, ['left', 'left', 'left'])] : []),
    ...(unlisted > 0 ? [`  and ${unlisted} more; --json lists all`] : []),
  ];
}
