import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import { hasKubernetes, missingForNodes } from '@fourfold/local-servers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { clusterConfig as configOf } from './support/cluster-config.js';
import { fourfoldImage } from './support/cluster-images.js';
import { pulledWeights, weightsOfOneWorker } from './support/final-weights.js';
import { claimOfPhotographs, namespace, photographsClaim, prepareNamespace } from './support/guide-namespace.js';
import { deployFolder, isRunning, kustomize } from './support/kubernetes.js';
import { lacks } from './support/needs.mjs';
import { expectReached, type Probe, type Targets } from './support/probe-pods.js';
import { killAll, startFourfold } from './support/process.js';
import { patience, startRealCluster, type RealCluster } from './support/real-nodes.js';
import { patientTiming } from './support/timing.js';

/*
 * A Kubernetes of two nodes that run containers, each in namespaces of its own: the namespace of the guide with TLS, its servers, a dataset, and runs. Most of the
 * time goes into starting, and into what Kubernetes waits for: a silent node, and the next pod of a Job that has lost some.
 */

const missing = hasKubernetes() ? missingForNodes() : 'npm run setup:servers -- kubernetes has not been run';
const inNamespace = ['--namespace', namespace];
const theImage = ['--image', fourfoldImage];
const phases = [
  { kind: 'mse', iterations: 4, learningRate: 1e-3 },
  { kind: 'gan', iterations: 4, learningRate: 1e-4 },
];

type Schedule = { kind: string; iterations: number; learningRate: number }[];
/** Nobody is lost for being slow: what is lost here is lost as a whole. */
const config = (schedule: Schedule) => configOf(schedule, patientTiming);

describe.skipIf(lacks('nodes', !missing, missing))(`Kubernetes with nodes${missing ? `: ${missing}` : ''}`, () => {
  let cluster: RealCluster;
  let store: Record<string, string>;

  beforeAll(async () => {
    const [overlay, monitoring] = await Promise.all(
      ['overlays/tls-files', 'overlays/monitoring'].map((path) => kustomize(path)),
    );
    cluster = await startRealCluster(2, { nats: imageOf(overlay, 'nats'), minio: imageOf(overlay, 'minio') });
    // The rest is for an operator that is not here.
    const policies = monitoring.filter(({ kind }) => kind === 'NetworkPolicy');
    store = await prepareNamespace(cluster, [...overlay, ...policies, claimOfPhotographs]);
    const photographs = ['--claim', photographsClaim, '--images', '.', '--sample', '6', '--seed', '1'];
    const dataset = ['--out', 's3://fourfold/dataset', '--cpu', '1'];
    const submitted = await cluster.fourfold(
      'submit',
      'prepare',
      ...photographs,
      ...dataset,
      ...inNamespace,
      ...theImage,
    );
    expect(submitted.code, submitted.stderr).toBe(0);
    const prepared = await cluster.fourfold('status', 'prepare-dataset', ...inNamespace, '--watch');
    expect(prepared.code, prepared.stdout + prepared.stderr).toBe(0);
  });

  afterAll(async () => {
    await killAll();
    await cluster?.stop();
  });

  const submit = async (name: string, schedule: Schedule, ...more: string[]) => {
    const places = 'dataset: s3://fourfold/dataset\nstore: s3://fourfold/store\nbatches: { from: nats }\n';
    const path = await cluster.writeFile(`${name}.yaml`, `name: ${name}\n${config(schedule)}${places}`);
    const image = more.includes('--image') ? [] : theImage;
    return cluster.fourfold('submit', path, ...inNamespace, ...image, ...more);
  };

  test('a run ends with the weights of one process', async () => {
    const alone = weightsOfOneWorker(config(phases));
    const submitted = await submit('first', phases);
    expect(submitted.code, submitted.stderr).toBe(0);
    const watched = await cluster.fourfold('status', 'first', ...inNamespace, '--watch', '--json');
    expect(watched.code, watched.stderr).toBe(0);
    const logs = await cluster.fourfold('logs', 'first', ...inNamespace);
    expect(logs.stdout).toContain('the run is finished');
    expect(await weightsOf('first')).toEqual(await alone);
  });

  test('NetworkPolicies, scaling, a deleted pod, a drained node and one that is switched off change no bit', async () => {
    const [first] = phases;
    const endless = { kind: 'gan', iterations: 1_000_000, learningRate: 1e-4 };
    // All of it on one node.
    await cluster.specify('node-2', { unschedulable: true });
    expect((await submit('second', [first, endless], '--workers', '1')).code).toBe(0);
    await progress('second', 0, 1);
    await expectPolicies('second');
    expect((await cluster.fourfold('scale', 'second', ...inNamespace, '--workers', '2')).code).toBe(0);
    const beyond = await progress('second', 0);

    const [coordinator] = await cluster.podsOf(namespace, 'second', 'coordinator');
    await cluster.core.deleteNamespacedPod({ name: coordinator.metadata?.name as string, namespace });
    await untilReplaced('second', [coordinator], 5);
    const afterDeletion = await progress('second', beyond);

    await cluster.specify('node-2', {});
    await cluster.specify('node-1', { unschedulable: true });
    const drained = await podsOf('second');
    for (const pod of drained) await cluster.evict(pod);
    await untilReplaced('second', drained, 5);
    const afterDrain = await progress('second', afterDeletion);

    expect((await cluster.fourfold('scale', 'second', ...inNamespace, '--workers', '1')).code).toBe(0);
    await progress('second', afterDrain, 1);
    const lost = await podsOf('second');
    const node = cluster.nodes[1];
    await node.switchOff();
    await cluster.specify('node-1', {});
    // As the guide says.
    await cluster.specify(node.name, { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] });
    await untilReplaced('second', lost, 4);
    await progress('second', afterDrain, 1);
    node.switchOn();
    await cluster.specify(node.name, {});
    await cluster.untilReady(node);

    expect((await cluster.fourfold('cancel', 'second', ...inNamespace)).code).toBe(0);
    const { checkpoint, ...weights } = await weightsOf('second');
    const iterations = Number(/\d+/.exec(checkpoint)?.[0]) - first.iterations;
    const { checkpoint: own, ...alone } = await weightsOfOneWorker(config([first, { ...endless, iterations }]));
    expect(weights, `${checkpoint}, ${own}`).toEqual(alone);
  });

  test('what keeps a run from starting is said on one line', async () => {
    const refused = await submit('third', phases, '--image', 'registry.invalid/missing:1');
    expect(refused.code).toBe(1);
    expect(refused.stderr.split('\n').at(-1)).toMatch(
      /registry\.invalid\/missing:1 cannot be pulled: .*registry\.invalid/,
    );
    expect((await cluster.fourfold('cancel', 'third', ...inNamespace)).code).toBe(0);
    // They may all run for a moment.
    await submit('fourth', phases, '--memory', '40Mi');
    await vi.waitFor(async () => {
      const { stdout } = await cluster.fourfold('status', 'fourth', ...inNamespace);
      expect(stdout).toMatch(/workers? (was|were) killed: out of memory, the limit is 40Mi/);
    }, patience);
    expect((await cluster.fourfold('cancel', 'fourth', ...inNamespace)).code).toBe(0);
  });

  /** Expect that pods reach what the guide says, and nothing else: of a run, its servers and the cluster. */
  async function expectPolicies(run: string): Promise<void> {
    const pods = [...(await podsOf(run)), ...(await cluster.core.listNamespacedPod({ namespace })).items];
    const addressOf = (label: string, value: string) =>
      pods.find(({ metadata }) => metadata?.labels?.[`app.kubernetes.io/${label}`] === value)?.status?.podIP as string;
    const [coordinator, worker, loader] = ['coordinator', 'worker', 'data-loader'].map((role) =>
      addressOf('component', role),
    );
    const targets: Targets<string> = {
      coordinator: [coordinator, 7000],
      'coordinator’s metrics': [coordinator, 8080],
      worker: [worker, 7001],
      'worker’s metrics': [worker, 7101],
      'loader’s metrics': [loader, 7200],
      nats: [addressOf('name', 'fourfold-nats'), 4222],
      minio: [addressOf('name', 'fourfold-minio'), 9000],
      dns: [cluster.dns, 53],
      'api server': ['kubernetes.default.svc', 443],
    };
    const metrics = Object.keys(targets).filter((name) => name.endsWith('metrics'));
    const outside = ['dns', 'api server'];
    const part = (role: string) => ({ 'app.kubernetes.io/name': 'fourfold', 'app.kubernetes.io/component': role });
    const probes: Omit<Probe<string>, 'node'>[] = [
      { namespace: 'strangers', reaches: outside },
      // With the labels of a part, but elsewhere.
      { namespace: 'strangers', labels: part('worker'), reaches: outside },
      { namespace: 'consumers', reaches: ['minio', ...outside] },
      { namespace: 'monitoring', reaches: [...metrics, ...outside] },
      { namespace, reaches: ['dns'] },
      { namespace, labels: part('coordinator'), reaches: ['worker', 'minio', 'dns'] },
      { namespace, labels: part('worker'), reaches: ['coordinator', 'worker', 'nats', 'minio', 'dns'] },
      { namespace, labels: part('data-loader'), reaches: ['nats', 'minio', 'dns'] },
    ];
    const namespaces = { strangers: {}, consumers: { 'fourfold/checkpoints': 'pull' }, monitoring: {} };
    for (const [name, labels] of Object.entries(namespaces))
      await cluster.core.createNamespace({ body: { metadata: { name, labels } } });
    // On both nodes, whether the target is on the same or not.
    const nodes = cluster.nodes.map(({ name }) => name);
    await Promise.all(
      probes.map((probe, i) => expectReached(cluster, targets, { ...probe, node: nodes[i % nodes.length] })),
    );
  }

  const weightsOf = (run: string) =>
    pulledWeights({
      run: (...args: string[]) => startFourfold(args, [], store),
      runUrl: `s3://fourfold/store/runs/${run}`,
    });

  const podsOf = async (run: string) =>
    (
      await Promise.all(['coordinator', 'worker', 'data-loader'].map((role) => cluster.podsOf(namespace, run, role)))
    ).flat();

  /** Wait until these pods of a run are gone and `count` run. */
  const untilReplaced = (run: string, pods: readonly V1Pod[], count: number) =>
    vi.waitFor(async () => {
      const uids = new Set(pods.map(({ metadata }) => metadata?.uid));
      const all = await podsOf(run);
      const described = all.map(({ metadata, spec, status }) => `${metadata?.name} ${spec?.nodeName} ${status?.phase}`);
      expect(all.filter(({ metadata }) => uids.has(metadata?.uid)).filter(isRunning), described.join()).toEqual([]);
      expect(all.filter(isRunning), described.join()).toHaveLength(count);
    }, patience);

  /** Wait until a run is beyond an iteration, with this many workers; returns where it is. */
  const progress = (run: string, iteration: number, workers = 2) =>
    vi.waitFor(async () => {
      const { stdout, stderr } = await cluster.fourfold('status', run, ...inNamespace, '--json');
      const { training } = JSON.parse(stdout) as { training?: { iteration: number; workers: number } };
      expect(training?.iteration, stdout + stderr).toBeGreaterThan(iteration);
      expect(training?.workers, stdout).toBe(workers);
      return training?.iteration as number;
    }, patience);
});

/** The image of the workload with this label in rendered manifests. */
function imageOf(objects: readonly KubernetesObject[], name: string): string {
  const images = JSON.stringify(objects).match(/"image":"[^"]+"/g) ?? [];
  const image = images.map((one) => one.slice(9, -1)).find((one) => new RegExp(`(^|/)${name}:`).test(one));
  if (!image) throw new Error(`${deployFolder}base names no image ${name}`);
  return image.includes('/') ? image : `docker.io/library/${image}`;
}
