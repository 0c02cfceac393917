import { CommanderError } from 'commander';
import { describeError, exitCodeOf, FourfoldError, isOfSystem } from '@fourfold/common/basics';
import { ChildFailure, Interruption } from './interruption.js';
import { runCommand } from './program.js';

// Only a part of a run has a parent that listens.
const { tellParent } = process.send ? await import('./train/leaving.js') : { tellParent: () => Promise.resolve() };

const brokenPipeExitCode = 141;

process.exitCode = await main();
// Threads of a backend would keep the process alive. What was written to stdout goes out first.
process.stdout.write('', () => process.exit());

/** Parse the arguments, run the command and return the exit code. */
async function main(): Promise<number> {
  endQuietlyOnBrokenPipe();
  // A monitor does not change how Node.js ends.
  process.on('uncaughtExceptionMonitor', (error) => void tellParent(error));
  try {
    await runCommand(process.argv.slice(2));
    return 0;
  } catch (error) {
    await tellParent(error);
    return reportFailure(error);
  }
}

/** Report an error on stderr: one line if a person can act on it, a stack trace for a bug. */
function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ChildFailure) return error.exitCode;
  if (error instanceof Interruption) {
    console.error(`fourfold: ${error.message}`);
    return error.exitCode;
  }
  const isForPeople = error instanceof FourfoldError || isOfSystem(error);
  console.error(isForPeople ? `fourfold: ${describeError(error)}` : error);
  return exitCodeOf(error);
}

/** A reader such as `head` that closes the pipe early is not an error. */
function endQuietlyOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(brokenPipeExitCode);
      throw error;
    });
  }
}
