import type { Command } from 'commander';
import { queueName } from '../kubernetes/names.js';
import { objectName } from '../kubernetes/pod-options.js';
import { collect, wholeNumber } from './arguments.js';
import { connect, inCluster } from './in-cluster.js';
import {
  dryRunOf,
  podOptionsOf,
  printObjects,
  reportStart,
  trafficOfPods,
  withPodOptions,
  type PodArguments,
} from './pod-arguments.js';

interface SubmitPrepareArguments extends PodArguments {
  images: string[];
  claim?: string;
  out: string;
  name?: string;
  part?: string;
  tile?: number;
  encoding?: string;
  sample?: number;
  seed?: number;
  minimumSide?: number;
  queue?: string;
}

/** `fourfold submit prepare`. */
export function registerSubmitPrepare(submit: Command): void {
  const preparing = inCluster(submit, 'prepare', 'turn photographs into shards in the cluster')
    .description(
      'Run `fourfold prepare` as a Job, where the photographs are: in the object store, or on a volume. It is followed and ended like a run: ' +
        '`fourfold status|logs|cancel prepare-NAME`. If the dataset exists, nothing is done. Options from --name to --minimum-side are those of ' +
        '`fourfold prepare`.',
    )
    .requiredOption(
      '--images <place>',
      's3://BUCKET/PATH, or a path in the volume of --claim; may be repeated',
      collect,
    )
    .option('--claim <name>', 'PersistentVolumeClaim that holds the photographs', objectName)
    .requiredOption('--out <url>', 'place of the dataset: s3://BUCKET/PATH')
    .option('--name <name>', 'name of the dataset (default: the last part of --out)')
    .option('--part <name>', 'part of a data set that has parts')
    .option('--tile <pixels>', 'largest side of a picture: larger ones are cut into tiles', wholeNumber(1))
    .option('--encoding <name>', 'form in which pictures are stored: keep or pixels')
    .option('--sample <count>', 'number of photographs to take at random', wholeNumber(1))
    .option('--seed <number>', 'seed of the sample and of the order in the shards', wholeNumber(0))
    .option('--minimum-side <pixels>', 'smallest side of a photograph: smaller ones are left out', wholeNumber(1))
    .option('--queue <name>', 'Kueue LocalQueue that admits the Job', queueName);
  withPodOptions(preparing, 'the pod').action(submitPrepare);
}

async function submitPrepare(options: SubmitPrepareArguments): Promise<void> {
  const { checkPlaces, prepareName, renderPrepare } = await import('../kubernetes/prepare-job.js');
  const { defaultImage } = await import('../kubernetes/manifests.js');
  const { applyAll } = await import('../kubernetes/submit.js');
  const { images, claim, out, name, queue } = options;
  checkPlaces(options);
  const run = prepareName(options);
  const dryRun = dryRunOf(options);
  const api = dryRun === 'client' ? undefined : await connect(options);
  const manifest = await renderPrepare({
    ...podOptionsOf(options),
    ...{ images, claim, out, name, queue, args: argumentsFor(options) },
    tls: await trafficOfPods(options, api),
    namespace: api?.namespace ?? options.namespace,
    image: options.image ?? (await defaultImage(false)),
  });
  const sent = api ? await applyAll(api, [manifest], dryRun === 'server') : [manifest];
  if (!api || dryRun) return printObjects(sent, options);
  await reportStart(api, run, options);
}

/** The arguments that `fourfold prepare` gets as they are. */
function argumentsFor({ part, tile, encoding, sample, seed, minimumSide }: SubmitPrepareArguments): string[] {
  const given = { part, tile, encoding, sample, seed, 'minimum-side': minimumSide };
  return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
}
