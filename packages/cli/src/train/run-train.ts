import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { settingText, type RunConfig, type Setting } from '@fourfold/common';
import { checkDataset, readDatasetManifest } from '@fourfold/data-loader';
import { joinTokenVariable, randomJoinToken, readJoinToken } from '@fourfold/rpc';
import {
  checkpointStore,
  howToLengthen,
  isRunOver,
  listCheckpoints,
  openStore,
  runStore,
  type ObjectStore,
} from '@fourfold/store';
import { lookAhead } from '@fourfold/worker/look-ahead';
import type { ReportArguments } from '../commands/arguments.js';
import { abortOnInterruption } from '../interruption.js';
import { createProgressLine } from './progress-line.js';
import { describeNext, describeStop, resumeCommand, stopping } from './stopped.js';
import { superviseLocally, type Helper } from './supervisor.js';

/** How long the coordinator may take to stop: as long as it waits for an object store that is away. */
const stopMs = 600_000;

/** How long validation pictures are test-decoded before anything is started; workers check for longer. */
const lookMs = 10_000;

export interface TrainRun extends ReportArguments {
  config: RunConfig;
  /** Where the config came from, and the settings on top of it: what a command that resumes the run says again. */
  path: string;
  settings: readonly Setting[];
  resume: boolean;
  /** host:port of the status page. */
  http?: string;
}

/** Train a run on this machine to its end, and print where its newest checkpoint is. */
export async function runTrain({ config, path, settings, resume, http, tensorboard, mlflow }: TrainRun): Promise<void> {
  const run = runStore(config);
  if (resume && (await isRunOver(run, config))) {
    console.error(`run ${config.name} is finished; to train it further, ${howToLengthen(config)}`);
    return printNewest(run);
  }
  const reports = reportArgs({ tensorboard, mlflow });
  const dataset = openStore(config.dataset);
  checkDataset(dataset, await readDatasetManifest(dataset), config.data);
  const signal = abortOnInterruption();
  await lookAhead(config, { decodeMs: lookMs, signal });
  const logPath = join(logFolder(run, config.name), 'train.log');
  await mkdir(dirname(logPath), { recursive: true });
  const logFile = createWriteStream(logPath, { flags: 'a' });
  const line = createProgressLine();
  signal.addEventListener('abort', () => line.note(stopping), { once: true });
  logFile.once('error', (error) => line.note(`the log ${logPath} is no longer written: ${error.message}`));
  try {
    // Other users of this machine can reach the coordinator, too.
    const token = { [joinTokenVariable]: readJoinToken(process.env) ?? randomJoinToken() };
    const worker: Helper = { role: 'worker', name: 'worker', args: [] };
    await superviseLocally({
      // All parts get this config, also those that are restarted after the file has changed.
      configArgs: ['--config', '-'],
      input: JSON.stringify(config),
      coordinatorArgs: reports,
      helpers: Array.from({ length: config.workers.count }, () => worker),
      environment: () => token,
      onListening: (page) => page && line.note(`status page: http://${page}/`),
      ...{ resume, http, logFile, line, stopMs, signal },
    });
  } catch (error) {
    line.stop();
    if (error === signal.reason)
      console.error(
        await describeStop(
          run,
          config,
          resumeCommand(path, settings.map(settingText), [...(http === undefined ? [] : ['--http', http]), ...reports]),
        ),
      );
    throw error;
  } finally {
    line.stop();
    logFile.end();
  }
  await printNewest(run);
}

const reportArgs = ({ tensorboard, mlflow }: ReportArguments): string[] => [
  ...(tensorboard === undefined ? [] : ['--tensorboard', tensorboard]),
  ...(mlflow === undefined ? [] : ['--mlflow', mlflow]),
];

/** The newest checkpoint's URL on stdout, for scripts; what to do with the run on stderr, for people. */
async function printNewest(run: ObjectStore): Promise<void> {
  const newest = (await listCheckpoints(run)).at(-1);
  if (newest === undefined) return;
  console.error('finished; the newest checkpoint:');
  console.log(checkpointStore(run, newest).url);
  console.error(describeNext(run.url));
}

/** The log is beside a run's checkpoints if these are in a folder, else below `out` in the working directory. */
const logFolder = (run: ObjectStore, name: string): string =>
  run.url.startsWith('file:') ? fileURLToPath(run.url) : join('out', 'runs', name);
