import type { RunConfig, Setting } from '@fourfold/common';
import { backendChoices } from '@fourfold/common/basics';
import { Option, type Command } from 'commander';
import {
  collect,
  hostPort,
  mlflowOption,
  optionSetting,
  tensorboardOption,
  wholeNumber,
  type ReportArguments,
} from './arguments.js';

interface TrainOptions extends ReportArguments {
  workers?: number;
  backend?: string;
  http?: string;
  startFrom?: string;
  scaleSchedule?: string;
  resume: boolean;
  set: string[];
  printConfig: boolean;
}

/** `fourfold train`: a whole run on this machine. */
export function registerTrain(program: Command): void {
  program
    .command('train')
    .summary('train on this machine: a coordinator and workers as local processes')
    .description(
      'Train a run on this machine: a coordinator and workers as local processes, which are restarted if they die. Ctrl-C writes a ' +
        'checkpoint and says how to resume.',
    )
    .argument('<config>', 'config of the run, a YAML file')
    .option('--workers <n>', `number of worker processes ${ofConfig('workers.count')}`, wholeNumber(1))
    .addOption(
      new Option('--backend <name>', `TensorFlow.js backend to compute with ${ofConfig('workers.backend')}`).choices(
        backendChoices,
      ),
    )
    .option('--http <host:port>', 'address of the status page and of /metrics; port 0 takes a free one', hostPort)
    .addOption(tensorboardOption())
    .addOption(mlflowOption())
    .option('--start-from <run>', 'finished run whose generator starts this one: its name in the same store, or a URL')
    .option('--scale-schedule <factor>', 'factor on the length of every phase, such as 0.001')
    .option(
      '--resume',
      'continue from the newest intact checkpoint, with the run’s own config, which --set changes; without a checkpoint, start from the beginning',
      false,
    )
    .option('--set <key=value>', 'key of the config to override; may be repeated', collect, [])
    .option('--print-config', 'print the config with every default, and do nothing else', false)
    .action(async (path: string, options: TrainOptions) => {
      const settings = settingsOf(options);
      const config = await readConfig(path, settings, options.resume);
      if (options.printConfig) process.stdout.write((await import('yaml')).stringify(config));
      else await (await import('../train/run-train.js')).runTrain({ ...options, config, path, settings });
    });
}

/** The default of an option that stands for a key of the config. */
const ofConfig = (key: string): string => `(default: ${key} of the config)`;

/** What the options say about the config. */
const settingsOf = ({ set, workers, backend, startFrom, scaleSchedule }: TrainOptions): Setting[] => [
  ...set,
  ...optionSetting('--workers', workers, 'workers.count'),
  ...optionSetting('--backend', backend, 'workers.backend'),
  ...optionSetting('--start-from', startFrom, 'startFrom'),
  ...optionSetting('--scale-schedule', scaleSchedule, 'scheduleScale'),
];

/** The config to train with: the file's with the settings, or that of the run to resume. */
async function readConfig(path: string, settings: Setting[], resume: boolean): Promise<RunConfig> {
  const { loadRunConfig } = await import('@fourfold/common');
  const config = await loadRunConfig(path, settings);
  if (!resume) return config;
  const { configToResume } = await import('../train/resume-config.js');
  return configToResume({ path, config, settings }, console.error);
}
