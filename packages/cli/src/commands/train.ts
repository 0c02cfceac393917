import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadRunConfig, type RunConfig } from '@fourfold/common';
import {
  checkpointStore,
  howToLengthen,
  isRunOver,
  listCheckpoints,
  openStore,
  runStore,
  type ObjectStore,
} from '@fourfold/store';
import { readDatasetManifest } from '@fourfold/data-loader';
import type { Command } from 'commander';
import { abortOnInterruption } from '../interruption.js';
import { configToResume } from '../train/resume-config.js';
import { describeStop, resumeCommand, stopping } from '../train/stopped.js';
import { createProgressLine } from '../train/progress-line.js';
import type { Helper } from '../train/supervisor.js';
import { collect, wholeNumber } from './arguments.js';

interface TrainOptions {
  workers?: number;
  backend?: string;
  http?: string;
  startFrom?: string;
  scaleSchedule?: string;
  resume: boolean;
  set: string[];
  printConfig: boolean;
}

/** How long the coordinator may take to stop: as long as it waits for an object store that is away. */
const stopMs = 600_000;

/** How long validation pictures are test-decoded before anything is started; workers check for longer. */
const lookMs = 10_000;

/** `fourfold train`: a whole run on this machine. */
export function registerTrain(program: Command): void {
  program
    .command('train')
    .description('train on this machine: a coordinator and workers as local processes')
    .argument('<config>', 'the run’s config, a YAML file')
    .option('--workers <n>', 'worker processes', wholeNumber(1))
    .option('--backend <name>', 'TensorFlow.js backend to compute with')
    .option('--http <host:port>', 'address of the status page and of /metrics; port 0 takes a free one')
    .option('--start-from <run>', 'start from the generator of a finished run: its name in the same store, or a URL')
    .option('--scale-schedule <factor>', 'multiply the length of every phase by this factor, such as 0.001')
    .option('--resume', 'continue from the newest whole checkpoint, with the run’s own config; --set changes it', false)
    .option('--set <key=value>', 'override a key of the config; may be repeated', collect, [])
    .option('--print-config', 'print the config with every default, and do nothing else', false)
    .action(async (path: string, options: TrainOptions) => {
      const settings = settingsOf(options);
      const config = await readConfig(path, settings, options.resume);
      if (options.printConfig) process.stdout.write((await import('yaml')).stringify(config));
      else await train(config, options, resumeCommand(path, settings, options.http));
    });
}

/** What the options say about the config. */
const settingsOf = ({ set, workers, backend, startFrom, scaleSchedule }: TrainOptions): string[] => [
  ...set,
  ...(workers === undefined ? [] : [`workers.count=${workers}`]),
  ...(backend === undefined ? [] : [`workers.backend=${backend}`]),
  ...(startFrom === undefined ? [] : [`startFrom=${startFrom}`]),
  ...(scaleSchedule === undefined ? [] : [`scheduleScale=${scaleSchedule}`]),
];

/** The config to train with: the file's with the settings, or that of the run to resume. */
async function readConfig(path: string, settings: string[], resume: boolean): Promise<RunConfig> {
  const config = await loadRunConfig(path, settings);
  return resume ? configToResume({ path, config, settings }, console.error) : config;
}

/** `again` is the command that resumes the run. */
async function train(config: RunConfig, { resume, http }: TrainOptions, again: string): Promise<void> {
  const run = runStore(config);
  if (resume && (await isRunOver(run, config))) {
    console.error(`run ${config.name} is finished; to train it further, ${howToLengthen(config)}`);
    return printNewest(run);
  }
  await readDatasetManifest(openStore(config.dataset));
  const signal = abortOnInterruption();
  const [{ lookAhead }, { superviseLocally }, { joinTokenVariable, randomJoinToken, readJoinToken }, { stringify }] =
    await Promise.all([
      import('@fourfold/worker'),
      import('../train/supervisor.js'),
      import('@fourfold/rpc'),
      import('yaml'),
    ]);
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
      input: stringify(config),
      helpers: Array.from({ length: config.workers.count }, () => worker),
      environment: () => token,
      onListening: (page) => page && line.note(`status page: http://${page}/`),
      ...{ resume, http, logFile, line, stopMs, signal },
    });
  } catch (error) {
    line.stop();
    if (error === signal.reason) console.error(await describeStop(run, config, again));
    throw error;
  } finally {
    line.stop();
    logFile.end();
  }
  await printNewest(run);
}

async function printNewest(run: ObjectStore): Promise<void> {
  const newest = (await listCheckpoints(run)).at(-1);
  if (newest) console.log(checkpointStore(run, newest).url);
}

/** The log is beside a run's checkpoints if these are in a folder, else below `out` in the working directory. */
const logFolder = (run: ObjectStore, name: string): string =>
  run.url.startsWith('file:') ? fileURLToPath(run.url) : join('out', 'runs', name);
