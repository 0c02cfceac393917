import { describeError, exitCodeOf } from '@fourfold/common';
import { expect, test } from 'vitest';
import { runCommand } from './program.js';

/** What the command says on stderr after `fourfold: `, and its exit code. */
export async function refusalOf(args: readonly string[]): Promise<[line: string, exitCode: number]> {
  const error: unknown = await runCommand(args).then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  return [describeError(error), exitCodeOf(error)];
}

test.each([
  ['prepar', 'unknown command prepar; did you mean prepare?'],
  ['mos serv', 'unknown command serv; did you mean serve?'],
  ['bench everything', 'unknown command everything; the commands are step, update, loader, train'],
  // A required option that is misspelt is not missing.
  ['prepare --image a --out b', 'prepare: unknown option --image; did you mean --images?'],
  ['prepare --images a --output=b', 'prepare: unknown option --output; did you mean --out?'],
  ['mos prepare --imges a', 'mos prepare: unknown option --imges; did you mean --images?'],
  ['worker --confg=x', 'worker: unknown option --confg; did you mean --config?'],
  ['train run.yaml --worker 2', 'train: unknown option --worker; did you mean --workers?'],
  ['train run.yaml --zzz', 'train: unknown option --zzz; `fourfold train --help` lists its options'],
  ['doctor -json', 'unknown option -json; a file of that name is ./-json'],
  ['prepare', 'prepare: --images <place> and --out <url> must be given; `fourfold prepare --help` describes it'],
  ['train', 'train: <config> must be given; `fourfold train --help` describes it'],
  ['checkpoints pull a', 'checkpoints pull: <dir> must be given; `fourfold checkpoints pull --help` describes it'],
  ['prepare --images', '--images: its value is missing; `fourfold prepare --help` describes it'],
  [
    'doctor now',
    'doctor: it takes no arguments, but more was given: now; `fourfold doctor --help` describes its arguments',
  ],
  ['train a b c', 'train: it takes <config>, but more was given: b c; `fourfold train --help` describes its arguments'],
  ['bench step --steps 0', '--steps is 0: it must be a whole number, at least 1'],
  ['prepare --images a --out b --sample 1.5', '--sample is 1.5: it must be a whole number, at least 1'],
  ['export --format onx', '--format is onx: it must be one of onnx, tfjs, safetensors; did you mean onnx?'],
  ['logs run --role boss', '--role is boss: it must be one of coordinator, worker, data-loader'],
  ['status Run', '<run> is Run: for Kubernetes it must be lower-case letters, digits and dashes'],
])('fourfold %s', async (line, refusal) => {
  expect(await refusalOf(line.split(' '))).toEqual([refusal, 2]);
});
