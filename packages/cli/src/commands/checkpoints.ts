import type { Command } from 'commander';
import {
  checkApart,
  openStore,
  publicCheckpointsPolicy,
  checkpointInputs,
  type Checkpoint,
  type ListedCheckpoint,
  listStore,
  openCheckpoint,
  verifyCheckpoint,
  verifyNetworks,
  withCheckpoint,
} from '@fourfold/store';
import { folderUrl, FourfoldError, parseS3Url } from '@fourfold/common';
import { pullCheckpoint } from '../checkpoint-pull.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { formatBytes, formatCount, formatTable } from '../terminal/table.js';
import { jsonOption, printJson } from './arguments.js';
import { sayDamaged } from '../damaged.js';

const checkpointUrl = 'folder of a checkpoint, of a run or RUN/latest for its newest intact checkpoint, or RUN/best';

/** `fourfold checkpoints ls|verify|pull|policy`. */
// eslint-disable-next-line max-lines-per-function -- a list of commands and their options
export function registerCheckpoints(program: Command): void {
  const checkpoints = program
    .command('checkpoints')
    .summary('list, verify and copy checkpoints')
    .description("List, verify and copy a run's checkpoints.");

  checkpoints
    .command('ls')
    .description("List a run's checkpoints, or those of all runs of an object store, oldest first.")
    .argument('<url>', 'folder of a run (STORE/runs/NAME) or of the object store')
    .addOption(jsonOption())
    .action(async (url: string, { json }: { json?: true }) => {
      const store = openStore(url);
      const listed = await listStore(store);
      if (listed.length === 0) {
        throw new FourfoldError('not-found', `no checkpoints at ${store.url}`, {
          hint: "name a run's folder or an object store that holds runs",
        });
      }
      if (json) printJson({ checkpoints: listed });
      else console.log(describeList(listed));
    });

  checkpoints
    .command('verify')
    .description(
      'Read every file of a checkpoint, compare it with the SHA-256 in the manifest, and check that the networks ' +
        'have the shapes of the config. Exits non-zero at the first difference.',
    )
    .argument('<url>', checkpointUrl)
    .addOption(jsonOption())
    .action(async (url: string, { json }: { json?: true }) => {
      const checkpoint = await openCheckpoint(url, sayDamaged);
      const { store } = checkpoint;
      const { iteration, files } = await verifyCheckpoint(store);
      await verifyNetworks(checkpoint);
      if (json) printJson({ checkpoint: store.url, iteration, whole: true, files });
      else
        console.log(`${store.url} is whole: iteration ${iteration}, ${formatCount(Object.keys(files).length, 'file')}`);
    });

  checkpoints
    .command('pull')
    .description(
      'Copy a checkpoint to a folder, verifying each file on the way. The manifest is written last: an interrupted ' +
        'copy is never taken for a checkpoint, and the same command resumes it.',
    )
    .argument('<url>', checkpointUrl)
    .argument('<dir>', 'folder for the copy')
    .addOption(jsonOption())
    .action(async (url: string, folder: string, { json }: { json?: true }) => {
      for (const input of checkpointInputs(url)) await checkApart(folder, input);
      const bar = createProgressBar('pull', 'MiB');
      const inMiB = (bytes: number) => Math.round(bytes / 2 ** 20);
      const pull = (checkpoint: Checkpoint) =>
        pullCheckpoint(checkpoint, folder, (done, total) => bar.update(inMiB(done), inMiB(total), ''));
      const { store, manifest, sizeBytes, resumedBytes } = await withCheckpoint(
        url,
        sayDamaged,
        async (checkpoint) => ({
          ...checkpoint,
          ...(await pull(checkpoint)),
        }),
      ).finally(() => bar.stop());
      const { iteration } = manifest;
      const copy = folderUrl(folder);
      if (json) printJson({ checkpoint: store.url, iteration, copy, sizeBytes, resumedBytes });
      else console.log(`iteration ${iteration}, ${formatBytes(sizeBytes)}: ${store.url} -> ${copy}`);
    });

  checkpoints
    .command('policy')
    .description(
      "Print the bucket policy that lets everybody read one run's checkpoints, and nothing else, without keys. " +
        'Set it with `mc anonymous set-json` or `aws s3api put-bucket-policy`.',
    )
    .argument('<url>', 'place of a run in a bucket: s3://BUCKET/.../runs/NAME')
    .action((url: string) => {
      const place = parseS3Url(url);
      if (!place || !/(^|\/)runs\/[^/]+$/.test(place.path)) {
        throw new FourfoldError('invalid', `${url} is not a run in a bucket`, {
          hint: 'name one: s3://BUCKET/.../runs/NAME',
        });
      }
      printJson(publicCheckpointsPolicy(place.bucket, place.path));
    });
}

function describeList(listed: ListedCheckpoint[]): string {
  const unusable = ({ run, name }: ListedCheckpoint, why: string) => [run, name, '', '', '', '', why];
  const rows = listed.map((checkpoint) =>
    'damaged' in checkpoint
      ? unusable(checkpoint, `damaged: ${checkpoint.damaged}`)
      : 'superseded' in checkpoint
        ? unusable(checkpoint, `superseded: ${checkpoint.superseded}`)
        : [
            checkpoint.run,
            checkpoint.name,
            String(checkpoint.iteration),
            checkpoint.psnr?.toFixed(2) ?? '',
            formatBytes(checkpoint.sizeBytes),
            checkpoint.createdAt,
            [checkpoint.best && 'best', checkpoint.finished && 'finished'].filter(Boolean).join(', '),
          ],
  );
  return formatTable(
    [['run', 'checkpoint', 'iteration', 'PSNR', 'size', 'written', ''], ...rows],
    ['left', 'left', 'right', 'right', 'right', 'left', 'left'],
  );
}
