import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesObject, V1NetworkPolicy, V1Pod } from '@kubernetes/client-node';
import { beforeAll, expect, test, vi } from 'vitest';
import { clusterConfig } from '../support/cluster-config.js';
import { gpuCluster, inNamespace, kustomize, isRunning, type TestKubernetes } from '../support/kubernetes.js';
import { fourfold, killAll, photographs, startFourfold } from '../support/process.js';

/* `fourfold submit` and its sisters: from submission to cancellation. */

const namespace = 'team';
const inTeam = ['--namespace', namespace];
const patience = { timeout: 120_000, interval: 250 };

const indexOf = ({ metadata }: V1Pod): number =>
  Number(metadata?.annotations?.['batch.kubernetes.io/job-completion-index']);

export function testOperation(): void {
  let kubernetes: TestKubernetes;
  let eight: string;

  beforeAll(async () => {
    kubernetes = await gpuCluster();
    await kubernetes.addNamespace(namespace);
    eight = await kubernetes.writeConfig('eight');
  });

  const submit = (config: string, ...args: string[]) => kubernetes.fourfold('submit', config, ...inTeam, ...args);
  const workers = async () =>
    (await kubernetes.podsOf(namespace, 'eight', 'worker')).filter(isRunning).sort((a, b) => indexOf(a) - indexOf(b));
  const uids = (pods: V1Pod[]) => pods.map(({ metadata }) => metadata?.uid);

  test('--dry-run has the server check all, prints it, and sends nothing', async () => {
    const { code, stdout, stderr } = await submit(eight, '--workers', '8', '--gpus', '1', '--dry-run', '--json');
    expect(code, stderr).toBe(0);
    const { items: sent } = JSON.parse(stdout) as { items: KubernetesObject[] };
    expect(sent.map(({ kind, metadata }) => `${kind} ${metadata?.name}`)).toEqual([
      'ConfigMap eight-run',
      ...['coordinator', 'worker', 'data-loader'].map((role) => `Job eight-${role}`),
      'Service eight-coordinator',
      'PodDisruptionBudget eight-run',
    ]);
    expect(await kubernetes.podsOf(namespace, 'eight', 'worker')).toEqual([]);
    const mistake = await submit(eight, '--gpus', '1', '--image', '', '--dry-run');
    expect(mistake.code).toBe(2);
    expect(mistake.stderr.split('\n').at(-1)).toMatch(/^fourfold: Job eight-coordinator: .*image: Required value/);
  });

  test('8 GPU workers are submitted and run; submitting again changes nothing', async () => {
    const first = await submit(eight, '--workers', '8', '--gpus', '1');
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toBe('run eight in namespace team is running; `fourfold status eight -n team` shows more\n');
    const pods = await workers();
    expect(pods.map(indexOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(pods.every(({ spec }) => spec?.containers[0].resources?.limits?.['nvidia.com/gpu'] === '1')).toBe(true);
    const again = await submit(eight, '--workers', '8', '--gpus', '1');
    expect(again.code, again.stderr).toBe(0);
    expect(uids(await workers())).toEqual(uids(pods));
  });

  test('what a Job does not change is refused in one line, and an unprepared namespace too', async () => {
    const other = await submit(eight, '--workers', '8', '--gpus', '1', '--node-selector', 'pool=a100');
    expect(other.stderr.split('\n').at(-1)).toMatch(
      /^fourfold: Job eight-worker exists, and Kubernetes does not change its spec\.template; `fourfold cancel` it and /,
    );
    const unprepared = await kubernetes.fourfold('submit', eight, '--gpus', '1', '-n', 'default');
    expect(unprepared.code).toBe(2);
    expect(unprepared.stderr).toMatch(
      /^fourfold: namespace default is not prepared for runs: .*docs\/kubernetes\.md, step 1/,
    );
  });

  test('a taken name and too few GPUs are reported on one line, long before the wait is over', async () => {
    const other = await kubernetes.writeConfig('eight', 'seed: 99\n');
    const taken = await submit(other, '--gpus', '1');
    expect(taken.code).toBe(2);
    expect(taken.stderr.split('\n').at(-1)).toMatch(
      /^fourfold: the name eight is taken in team since \S+, by a run with a different config; choose another name, or end that run with `fourfold cancel eight -n team`$/,
    );
    const more = await kubernetes.writeConfig('more');
    // Longer than this test may take.
    const short = await submit(more, '--workers', '3', '--gpus', '1', '--wait', '3600');
    expect(short.code).toBe(1);
    expect(short.stderr.split('\n').at(-1)).toMatch(
      /^fourfold: run more does not start: 3 workers wait: the cluster’s 8 nvidia\.com\/gpu are taken \(0\/3 nodes are available: .*Insufficient nvidia\.com\/gpu.*\); it starts as soon as/,
    );
    const list = await kubernetes.fourfold('list', ...inTeam);
    expect(
      list.stdout
        .split('\n')
        .slice(0, 3)
        .map((line) => line.split(/ {2,}/).slice(0, 3)),
    ).toEqual([
      ['run', 'state', 'workers'],
      ['more', 'starting', '0/3'],
      ['eight', 'running', '8/8'],
    ]);
    expect((await kubernetes.fourfold('cancel', 'more', ...inTeam)).code).toBe(0);
  });

  test('of two users who submit one name at the same time, one gets it', async () => {
    const configs = await Promise.all(
      [1, 2].map(async (seed) => kubernetes.writeConfig('both', `seed: ${seed}\n`, `both-${seed}`)),
    );
    const ends = await Promise.all(configs.map((config) => submit(config, '--gpus', '1', '--wait', '0')));
    expect(ends.map(({ code }) => code).sort(), JSON.stringify(ends)).toEqual([0, 2]);
    const [loser] = ends.filter(({ code }) => code === 2);
    expect(loser.stderr.split('\n').at(-1)).toMatch(/^fourfold: the name both is taken in team/);
    expect((await kubernetes.fourfold('cancel', 'both', ...inTeam)).code).toBe(0);
  });

  test('a deleted worker and a stopped one are replaced, and no other restarts', async () => {
    const before = await workers();
    await kubernetes.core.deleteNamespacedPod({ name: before[3].metadata?.name as string, namespace });
    await kubernetes.endPod(before[5], 143);
    const after = await vi.waitFor(async () => {
      const now = await workers();
      expect(now.map(indexOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      return now;
    }, patience);
    const replaced = after.filter((pod) => !uids(before).includes(pod.metadata?.uid)).map(indexOf);
    expect(replaced).toEqual([3, 5]);
    // A stop does not count against the index's backoff limit.
    expect(after[5].metadata?.annotations?.['batch.kubernetes.io/job-index-failure-count'] ?? '0').toBe('0');
  });

  test('nodes are drained pod by pod, although the replacements find no GPU', async () => {
    const pods = [...(await workers()), ...(await kubernetes.podsOf(namespace, 'eight', 'data-loader'))];
    const close = async (closed: boolean) => {
      for (const name of ['gpus-1', 'gpus-2', 'plain']) await kubernetes.closeNode(name, closed);
    };
    await close(true);
    try {
      // A permanent refusal by a budget would repeat.
      for (const pod of pods) await vi.waitFor(() => kubernetes.evict(pod), patience);
      await vi.waitFor(async () => {
        const now = await kubernetes.podsOf(namespace, 'eight', 'worker');
        expect(now.filter(({ status }) => status?.phase === 'Pending')).toHaveLength(8);
      }, patience);
    } finally {
      await close(false);
    }
    await vi.waitFor(async () => expect(await workers()).toHaveLength(8), patience);
  });

  test('a run is scaled down and up, and reports missing GPUs', async () => {
    const before = await workers();
    const scale = (count: number) => kubernetes.fourfold('scale', 'eight', ...inTeam, '--workers', `${count}`);
    expect((await scale(4)).code).toBe(0);
    await vi.waitFor(async () => expect(uids(await workers())).toEqual(uids(before.slice(0, 4))), patience);
    expect((await scale(10)).stdout).toBe('run eight is set to 10 workers\n');
    await vi.waitFor(async () => expect(await workers()).toHaveLength(8), patience);
    await vi.waitFor(async () => {
      const { stdout } = await kubernetes.fourfold('status', 'eight', ...inTeam);
      expect(stdout).toMatch(/^eight: running, submitted .* ago\n/);
      expect(stdout).toMatch(/\n2 workers wait: the cluster’s 8 nvidia\.com\/gpu are taken/);
    }, patience);
    expect((await scale(8)).code).toBe(0);
    const missing = await kubernetes.fourfold('scale', 'nine', ...inTeam, '--workers', '2');
    expect(missing.code).toBe(2);
    expect(missing.stderr).toBe('fourfold: there is no run nine in namespace team; its runs: eight');
  });

  test('status says how far the training is, or why that is unknown', async () => {
    const status = () => kubernetes.fourfold('status', 'eight', ...inTeam);
    expect((await status()).stdout).toMatch(/\nprogress unknown: port 8080 of pod eight-coordinator-\w+: .+\n/);
    // A real coordinator's page, before its first worker.
    const folder = await mkdtemp(join(tmpdir(), 'fourfold-status-'));
    const images = join(photographs, 'held-out');
    const prepared = await fourfold([
      'prepare',
      '--images',
      images,
      '--out',
      join(folder, 'dataset'),
      '--sample',
      '1',
      '--seed',
      '1',
    ]);
    expect(prepared.code, prepared.stderr).toBe(0);
    const places = `name: eight\ndataset: ${folder}/dataset\nstore: ${folder}/store\n`;
    await writeFile(
      join(folder, 'run.yaml'),
      `${clusterConfig([{ kind: 'mse', iterations: 30, learningRate: 1e-3 }])}${places}`,
    );
    const page = ['--http', `127.0.0.1:${kubernetes.podPort}`];
    const coordinator = startFourfold(['coordinator', '--config', join(folder, 'run.yaml'), ...page]);
    await coordinator.waitFor(({ event }) => event === 'http', 'its status page');
    expect((await status()).stdout).toMatch(/ ago\nwaiting for workers · 0\/30 · 0\.00 it\/s · 0 workers\n/);
    const { training } = JSON.parse((await kubernetes.fourfold('status', 'eight', ...inTeam, '--json')).stdout) as {
      training: unknown;
    };
    expect(training).toMatchObject({ phaseKind: 'mse', iteration: 0, iterations: 30 });
    await killAll();
    await rm(folder, { recursive: true });
  });

  test('cancel removes all objects of the run, and reports a missing run', async () => {
    // The kinds of objects that submit creates, and their pods.
    const kinds = (await kustomize('run')).map(({ kind }) => kind as string);
    expect(await kubernetes.objectsOf(namespace, 'eight', [...kinds, 'Pod'])).not.toEqual([]);
    expect((await kubernetes.fourfold('cancel', 'eight', ...inTeam)).code).toBe(0);
    expect(await kubernetes.objectsOf(namespace, 'eight', [...kinds, 'Pod'])).toEqual([]);
    const again = await kubernetes.fourfold('cancel', 'eight', ...inTeam);
    expect(again.code).toBe(2);
    expect(again.stderr).toBe(
      'fourfold: there is no run eight in namespace team; it has no runs; --namespace names another',
    );
  });

  test('workers share a pod on each node, which has a GPU for each; whole pods are added and removed', async () => {
    const config = await kubernetes.writeConfig('shared');
    const submitted = await submit(config, '--workers', '8', '--gpus-per-pod', '4');
    expect(submitted.code, submitted.stderr).toBe(0);
    const pods = (await kubernetes.podsOf(namespace, 'shared', 'worker')).filter(isRunning);
    expect(pods.map(({ spec }) => spec?.nodeName).sort()).toEqual(['gpus-1', 'gpus-2']);
    const limits = pods.map(({ spec }) => spec?.containers[0].resources?.limits?.['nvidia.com/gpu']);
    expect(limits).toEqual(['4', '4']);
    const status = await kubernetes.fourfold('status', 'shared', ...inTeam);
    expect(status.stdout).toMatch(/\npods of 4 workers +2 +2 +0 +0\n/);
    expect((await kubernetes.fourfold('list', ...inTeam)).stdout).toMatch(/\nshared +running +8\/8 /);
    const scale = (count: number) => kubernetes.fourfold('scale', 'shared', ...inTeam, '--workers', `${count}`);
    expect(await scale(6)).toMatchObject({
      code: 2,
      stderr:
        'fourfold: each pod of run shared has 4 workers, and --workers is 6: the last pod would not be full; set --workers to a multiple of 4',
    });
    expect((await scale(4)).stdout).toBe('run shared is set to 4 workers\n');
    const left = async () => (await kubernetes.podsOf(namespace, 'shared', 'worker')).filter(isRunning);
    await vi.waitFor(async () => expect(uids(await left())).toHaveLength(1), patience);
    expect((await kubernetes.fourfold('cancel', 'shared', ...inTeam)).code).toBe(0);
  });

  test('a pod with the account fourfold-submit has all rights to submit and watch a run', async () => {
    const namespace = 'submitters';
    const objects = inNamespace(await kustomize('namespace'), namespace);
    for (const object of objects) await vi.waitFor(() => kubernetes.apply(object), patience);
    const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy') as V1NetworkPolicy[];
    const labels = { 'app.kubernetes.io/name': 'fourfold-submit' };
    const own = policies.filter(({ spec }) => isDeepStrictEqual(spec?.podSelector?.matchLabels, labels));
    expect(own.flatMap(({ spec }) => spec?.egress ?? [])).toEqual([{ ports: [{ port: 443 }, { port: 6443 }] }]);
    const pod = (await kubernetes.apply(submittingPod(namespace, labels), true)) as V1Pod;
    const mounted = pod.spec?.volumes?.flatMap(({ projected }) => projected?.sources ?? []);
    expect(mounted?.some(({ serviceAccountToken }) => serviceAccountToken)).toBe(true);

    await writeFile(kubernetes.podLog, `${new Date().toISOString()} stdout F {"event":"started"}\n`);
    const config = await kubernetes.writeConfig('theirs', 'workers: { threads: 1 }\n');
    const fourfold = await kubernetes.fourfoldAs(namespace, 'fourfold-submit');
    const submitted = await fourfold('submit', config);
    expect(submitted.code, submitted.stderr).toBe(0);
    const status = await fourfold('status', 'theirs');
    expect(status.stdout).toMatch(/^theirs: running, .*\nprogress unknown: port 8080 of pod \S+: (?!.*403)/);
    expect(await fourfold('logs', 'theirs')).toMatchObject({ code: 0, stdout: '{"event":"started"}\n' });
    expect((await fourfold('list')).stdout).toMatch(/\ntheirs +running +2\/2 /);
    expect(await fourfold('scale', 'theirs', '--workers', '1')).toMatchObject({ code: 0 });
    expect(await fourfold('cancel', 'theirs')).toMatchObject({ code: 0 });
    const places = ['--images', 's3://raw/photos', '--out', 's3://fourfold/photos'];
    const prepared = await fourfold('submit', 'prepare', ...places, '--queue', 'none', '--dry-run');
    expect(prepared.stdout, prepared.stderr).toContain('kueue.x-k8s.io/queue-name: none');
    expect((await fourfold('submit', 'prepare', ...places)).stdout).toBe(
      'prepare-photos in namespace submitters is running; `fourfold status prepare-photos` shows more\n',
    );
    expect((await fourfold('status', 'prepare-photos')).stdout).toMatch(
      /^prepare-photos: running, .*\n{"event":"started"}\n.*\nprepare +1 +1 +0 +0\n$/,
    );
    expect(await fourfold('cancel', 'prepare-photos')).toMatchObject({ code: 0 });
    expect(await fourfold('list', '--namespace', 'team')).toMatchObject({ code: 2 });
  });
}

const submittingPod = (namespace: string, labels: Record<string, string>): KubernetesObject => {
  const securityContext = { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } };
  const closed = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const containers = [{ name: 'submit', image: 'fourfold', securityContext: closed }];
  const spec = { serviceAccountName: 'fourfold-submit', securityContext, containers };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'submit', namespace, labels }, spec } as KubernetesObject;
};
