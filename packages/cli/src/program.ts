import { readFileSync } from 'node:fs';
import { Command, CommanderError, Help, type Option } from 'commander';
import { readArguments } from './given-arguments.js';
import { refuseRepeatedOptions } from './repeated-options.js';

type Register = (program: Command) => void;

/** Which module registers which commands, in the order of the help. */
const modules: readonly { names: readonly string[]; load: () => Promise<Register> }[] = [
  { names: ['prepare'], load: async () => (await import('./commands/prepare.js')).registerPrepare },
  { names: ['train'], load: async () => (await import('./commands/train.js')).registerTrain },
  {
    names: ['coordinator', 'worker', 'data-loader'],
    load: async () => (await import('./commands/parts.js')).registerParts,
  },
  { names: ['evaluate'], load: async () => (await import('./commands/evaluate.js')).registerEvaluate },
  { names: ['plane'], load: async () => (await import('./commands/plane.js')).registerPlane },
  { names: ['upscale'], load: async () => (await import('./commands/upscale.js')).registerUpscale },
  { names: ['mos'], load: async () => (await import('./commands/mos.js')).registerMos },
  { names: ['export'], load: async () => (await import('./commands/export.js')).registerExport },
  { names: ['blend'], load: async () => (await import('./commands/blend.js')).registerBlend },
  { names: ['vgg'], load: async () => (await import('./commands/vgg.js')).registerVgg },
  { names: ['checkpoints'], load: async () => (await import('./commands/checkpoints.js')).registerCheckpoints },
  { names: ['certificates'], load: async () => (await import('./commands/certificates.js')).registerCertificates },
  { names: ['cluster'], load: async () => (await import('./commands/cluster.js')).registerCluster },
  {
    names: ['submit', 'status', 'logs', 'scale', 'cancel', 'list'],
    load: async () => (await import('./commands/kubernetes.js')).registerKubernetes,
  },
  { names: ['setup'], load: async () => (await import('./commands/setup.js')).registerSetup },
  { names: ['doctor'], load: async () => (await import('./commands/doctor.js')).registerDoctor },
  { names: ['bench'], load: async () => (await import('./commands/bench.js')).registerBench },
  { names: ['demo'], load: async () => (await import('./commands/demo.js')).registerDemo },
];

/** Run the command that the arguments name. Rejects with `invalid` for a mistake in them, and with a CommanderError after --help. */
export async function runCommand(given: readonly string[]): Promise<void> {
  const args = readArguments(given);
  const program = await createProgram(args[0]);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const { mistakeOf } = await import('./mistakes.js');
    throw mistakeOf(error, program, args) ?? error;
  }
}

/**
 * The command `fourfold`. It throws a CommanderError where commander would end the process. If `name` is one of its commands,
 * only that command's module is loaded: loading all of them is most of a short command's time.
 */
export async function createProgram(name?: string): Promise<Command> {
  const program = new Command('fourfold')
    .description('Distributed training of SRGAN, 4x image super-resolution.')
    .version(packageVersion())
    .exitOverride()
    // The error is reported where all are.
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ optionDescription: describeOption });
  if (name === '--version' || name === '-V') return program;
  const asked = modules.filter(({ names }) => name !== undefined && names.includes(name));
  const registers = await Promise.all((asked.length > 0 ? asked : modules).map(({ load }) => load()));
  for (const register of registers) register(program);
  refuseRepeatedOptions(program);
  return program;
}

/** An option's help. `false` and an empty list say nothing as defaults. */
function describeOption(option: Option): string {
  const { defaultValue, defaultValueDescription } = option as {
    defaultValue: unknown;
    defaultValueDescription?: string;
  };
  const isIdle = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0);
  if (!isIdle || defaultValueDescription !== undefined) return plainHelp.optionDescription(option);
  return plainHelp.optionDescription(Object.assign(Object.create(option) as Option, { defaultValue: undefined }));
}

const plainHelp = new Help();

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
