import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { describeError, exitCodeOf, FourfoldError } from '@fourfold/common';
import { registerBench } from './commands/bench.js';
import { registerCertificates } from './commands/certificates.js';
import { registerCheckpoints } from './commands/checkpoints.js';
import { registerCluster } from './commands/cluster.js';
import { registerDemo } from './commands/demo.js';
import { registerDoctor } from './commands/doctor.js';
import { registerEvaluate } from './commands/evaluate.js';
import { registerKubernetes } from './commands/kubernetes.js';
import { registerMos } from './commands/mos.js';
import { registerExport } from './commands/export.js';
import { registerParts } from './commands/parts.js';
import { registerPrepare } from './commands/prepare.js';
import { registerTrain } from './commands/train.js';
import { registerUpscale } from './commands/upscale.js';
import { registerVgg } from './commands/vgg.js';
import { Interruption } from './interruption.js';

const brokenPipeExitCode = 141;

process.exitCode = await main();
// Threads of a backend would keep the process alive. What was written to stdout goes out first.
process.stdout.write('', () => process.exit());

/** Parse the arguments, run the command and return the exit code. */
async function main(): Promise<number> {
  endQuietlyOnBrokenPipe();
  const program = createProgram();
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    return reportFailure(error);
  }
}

function createProgram(): Command {
  const program = new Command('fourfold')
    .description('Distributed training of SRGAN, 4x image super-resolution.')
    .version(packageVersion())
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'fourfold: ')) });
  registerPrepare(program);
  registerTrain(program);
  registerParts(program);
  registerEvaluate(program);
  registerUpscale(program);
  registerMos(program);
  registerExport(program);
  registerVgg(program);
  registerCheckpoints(program);
  registerCertificates(program);
  registerCluster(program);
  registerKubernetes(program);
  registerDoctor(program);
  registerBench(program);
  registerDemo(program);
  return program;
}

/** Say on stderr what went wrong: one line for what a person can act on, a stack for a fault of the program. */
function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof Interruption) {
    console.error(`fourfold: ${error.message}`);
    return error.exitCode;
  }
  console.error(error instanceof FourfoldError ? `fourfold: ${describeError(error)}` : error);
  return exitCodeOf(error);
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** A reader such as `head` that has seen enough is no failure worth words. */
function endQuietlyOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(brokenPipeExitCode);
      throw error;
    });
  }
}
