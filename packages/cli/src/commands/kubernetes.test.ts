import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '@fourfold/common';
import type { KubernetesObject, V1Job } from '@kubernetes/client-node';
import { afterEach, expect, test, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { labels } from '../kubernetes/labels.js';
import { createProgram, runCommand } from '../program.js';
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
const refusalOf = async (args: readonly string[]): Promise<string> =>
  describeError(await runCommand(args).catch((reason: unknown) => reason));

function withoutCluster(folder: string): void {
  for (const name of ['KUBECONFIG', 'KUBERNETES_SERVICE_HOST']) vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', folder);
}

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test.each([
  [['submit', 'long.yaml'], `name is ${long}: for Kubernetes it must have at most 40 characters`],
  [['submit', 'digit.yaml'], `name is 1st: for ${letter}`],
  [['submit', 'good.yaml', '--namespace', 'Team'], '--namespace is Team: for Kubernetes it must be lower-case'],
  [['submit', 'good.yaml', '--namespace', 'a'.repeat(64)], 'at most 63'],
  [['submit', 'good.yaml', '--queue', 'no_queue'], '--queue is no_queue: for Kubernetes it must be lower-case'],
  [['status', long], 'for Kubernetes it must have at most 40 characters'],
  [['logs', 'Run'], 'for Kubernetes it must be lower-case letters, digits and dashes'],
  [['scale', 'run-', '--workers', '2'], `for ${letter}`],
  [['cancel', '1st'], `for ${letter}`],
  [['list', '--namespace', '-a'], '--namespace is -a: '],
  [['submit', 'good.yaml', '--node-selector', 'pool'], '--node-selector is pool: it must be KEY=VALUE'],
  [['submit', 'good.yaml', '--toleration', 'gpu:Never'], '--toleration is gpu:Never: Never is not an effect'],
  [['submit', 'good.yaml', '--memory', '16GB'], '--memory is 16GB: it must be bytes such as 16Gi'],
  [['submit', 'good.yaml', '--dry-run=cluster'], '--dry-run is cluster: it must be one of client, server, none'],
  [['submit', 'good.yaml', '-o', 'yaml'], '-o yaml prints objects that are not sent'],
  [['submit', 'good.yaml'], 'no cluster is known'],
  [['submit', 'good.yaml', '--dry-run'], 'no cluster is known'],
  [['submit', 'good.yaml', '--dry-run=server'], 'no cluster is known'],
  [['status', 'good', '--namespace', 'team'], 'no cluster is known'],
])('%j: the name is checked before a cluster is looked up', async (args, reason) => {
  await inFolder(async (folder) => {
    withoutCluster(folder);
    for (const [name, run] of Object.entries({ long, digit: '1st', good: 'good' })) {
      await writeFile(join(folder, `${name}.yaml`), config(run));
    }
    const there = args.map((arg) => (arg.endsWith('.yaml') ? join(folder, arg) : arg));
    expect(await refusalOf(there)).toContain(reason);
  });
});

/** What `submit CONFIG --dry-run=client ARGS` prints on a machine that knows no cluster. */
const rendered = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  inFolder(async (folder) => {
    const path = join(folder, 'good.yaml');
    await writeFile(path, config('good'));
    return printed(folder, ['submit', path, '--dry-run=client', ...args]);
  });

async function printed(folder: string, args: string[]): Promise<{ stdout: string; stderr: string }> {
  withoutCluster(folder);
  let [stdout, stderr] = ['', ''];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((stdout += String(text)), true));
  vi.spyOn(console, 'log').mockImplementation((text) => void (stdout += `${text}\n`));
  vi.spyOn(console, 'error').mockImplementation((text) => void (stderr += `${text}\n`));
  const program = await createProgram('submit');
  await program.parseAsync(args, { from: 'user' });
  return { stdout, stderr };
}

test('submit --dry-run=client renders without a cluster, as YAML and as JSON', async () => {
  const yaml = await rendered('-n', 'team', '-o', 'yaml', '--tls', '--label', 'team=vision', '--label', 'tier=a');
  const objects = parseAllDocuments(yaml.stdout).map((document) => document.toJS() as KubernetesObject);
  expect(objects.map(({ kind, metadata }) => `${metadata?.namespace}/${kind}/${metadata?.name}`)).toEqual([
    'team/ConfigMap/good-run',
    'team/Job/good-coordinator',
    'team/Job/good-worker',
    'team/Service/good-coordinator',
    'team/PodDisruptionBudget/good-run',
  ]);
  expect(objects.every(({ metadata }) => metadata?.labels?.['team'] === 'vision')).toBe(true);
  expect(yaml.stdout).toContain('secretName: fourfold-worker-tls');
  expect(yaml.stderr).toBe('');
  const json = await rendered('-n', 'team', '-o', 'json', '--tls', '--label', 'team=vision,tier=a');
  expect(JSON.parse(json.stdout)).toEqual({ apiVersion: 'v1', kind: 'List', items: objects });
});

test('submit --dry-run=client says in one line which namespaces it is for', async () => {
  const secured = await rendered();
  expect(secured.stdout).not.toContain('namespace:');
  expect(secured.stderr).toMatch(/^rendered with TLS, for a namespace with certificates .*\n$/);
  const plain = await rendered('--no-tls');
  expect(plain.stdout).not.toContain('/run/tls');
  expect(plain.stderr).toMatch(/^the traffic of this run is in plain text: .*\n$/);
});

test('submit prepare has its own options, those of submit’s names too', async () => {
  await inFolder(async (folder) => {
    const places = [
      '--images',
      's3://raw/a',
      '--images',
      's3://raw/b',
      '--out',
      's3://fourfold/photos',
      '--tile',
      '480',
    ];
    const options = ['-n', 'team', '--tls', '--queue', 'research', '--dry-run=client'];
    const { stdout, stderr } = await printed(folder, ['submit', 'prepare', ...places, ...options]);
    const job = parse(stdout) as V1Job;
    expect(job.metadata).toMatchObject({
      name: 'prepare-photos',
      namespace: 'team',
      labels: { [labels.queue]: 'research' },
    });
    expect(job.spec?.template.spec?.containers[0]).toMatchObject({
      image: 'fourfold:0.1.0-cpu',
      args: ['--if-missing', '--images=s3://raw/a', '--images=s3://raw/b', '--out=s3://fourfold/photos', '--tile=480'],
    });
    expect(stderr).toBe('');
  });
});
