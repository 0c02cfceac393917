import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { createProgram } from '../program.js';
import { inFolder } from '../test-support.js';

const config = (name: string) =>
  `name: ${name}
dataset: s3://bucket/dataset
store: s3://bucket/store
workers: { threads: 1 }
phases: [{ kind: mse, iterations: 1, learningRate: 1e-4 }]
`;
const long = 'a'.repeat(41);
const letter = 'Kubernetes it must begin with a letter and not end with a dash';

/** A command's answer on a machine that knows no cluster. */
async function refusalOf(args: readonly string[]): Promise<string> {
  const program = await createProgram(args[0]);
  let said = '';
  // Commands have their own copies of the program's output settings.
  for (const command of [program, ...program.commands]) command.configureOutput({ writeErr: (text) => (said += text) });
  const error: unknown = await program.parseAsync([...args], { from: 'user' }).catch((reason: unknown) => reason);
  return said || (error as Error).message;
}

afterEach(() => vi.unstubAllEnvs());

test.each([
  [['submit', 'long.yaml'], `name is ${long}: for Kubernetes it must have at most 40 characters`],
  [['submit', 'digit.yaml'], `name is 1st: for ${letter}`],
  [['submit', 'good.yaml', '--namespace', 'Team'], "'Team' is invalid. For Kubernetes it must be lower-case"],
  [['submit', 'good.yaml', '--namespace', 'a'.repeat(64)], 'at most 63'],
  [['submit', 'good.yaml', '--queue', 'no_queue'], "'no_queue' is invalid. For Kubernetes it must be lower-case"],
  [['status', long], 'For Kubernetes it must have at most 40 characters'],
  [['logs', 'Run'], 'For Kubernetes it must be lower-case letters, digits and dashes'],
  [['scale', 'run-', '--workers', '2'], `For ${letter}`],
  [['cancel', '1st'], `For ${letter}`],
  [['list', '--namespace', '-a'], "'-a' is invalid"],
  [['submit', 'good.yaml'], 'no cluster is known'],
  [['status', 'good', '--namespace', 'team'], 'no cluster is known'],
])('%j: the name is checked before a cluster is looked up', async (args, reason) => {
  await inFolder(async (folder) => {
    for (const name of ['KUBECONFIG', 'KUBERNETES_SERVICE_HOST']) vi.stubEnv(name, undefined);
    vi.stubEnv('HOME', folder);
    for (const [name, run] of Object.entries({ long, digit: '1st', good: 'good' })) {
      await writeFile(join(folder, `${name}.yaml`), config(run));
    }
    const there = args.map((arg) => (arg.endsWith('.yaml') ? join(folder, arg) : arg));
    expect(await refusalOf(there)).toContain(reason);
  });
});
