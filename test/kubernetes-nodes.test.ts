import { join } from 'node:path';
import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import { hasKubernetes, missingForNodes } from '@fourfold/local-servers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { clusterConfig as configOf } from './support/cluster-config.js';
import { fourfoldImage } from './support/cluster-images.js';
import { pulledWeights, weightsOfOneWorker } from './support/final-weights.js';
import { accessSecret as access, deployFolder, isRunning, kustomize } from './support/kubernetes.js';
import { lacks } from './support/needs.mjs';
import { killAll, photographs, startFourfold } from './support/process.js';
import { patience, startRealCluster, type RealCluster } from './support/real-nodes.js';
import { patientTiming } from './support/timing.js';

/*
 * A Kubernetes of two nodes that run containers, each in namespaces of its own: the namespace of the guide, its servers, and runs. Most of the time goes
 * into starting, and into what Kubernetes waits for: a silent node, and the next pod of a Job that has lost some.
 */

const missing = hasKubernetes() ? missingForNodes() : 'npm run setup:servers -- kubernetes has not been run';
const namespace = 'fourfold';
const inNamespace = ['--namespace', namespace];
const cpuWorkers = ['--gpus', '0', '--workers', '2'];
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
    const base = await kustomize('base');
    cluster = await startRealCluster(2, { nats: imageOf(base, 'nats'), minio: imageOf(base, 'minio') });
    await cluster.apply(volumeOf('node-1'));
    for (const object of base) await cluster.apply(object);
    await cluster.apply(secret('fourfold-access', access));
    const [minio] = await Promise.all(['fourfold-minio', 'fourfold-nats'].map((name) => untilReady(name)));
    store = {
      FOURFOLD_S3_ENDPOINT: `http://127.0.0.1:${await cluster.forward(minio, 9000)}`,
      FOURFOLD_S3_ACCESS_KEY: access['s3-access-key'],
      FOURFOLD_S3_SECRET_KEY: access['s3-secret-key'],
      FOURFOLD_INSECURE: '1',
    };
    const images = join(photographs, 'train');
    const prepare = ['prepare', '--images', images, '--out', 's3://fourfold/dataset', '--sample', '6', '--seed', '1'];
    const prepared = startFourfold(prepare, [], store);
    expect((await prepared.exit).code, prepared.errors.join('\n')).toBe(0);
  }, 400_000);

  afterAll(async () => {
    await killAll();
    await cluster?.stop();
  }, 60_000);

  /** The pod of a server, when it is ready. */
  async function untilReady(name: string): Promise<V1Pod> {
    return vi.waitFor(async () => {
      const labelSelector = `app.kubernetes.io/name=${name}`;
      const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector });
      const ready = items.find(({ status }) =>
        status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'),
      );
      expect(
        ready,
        JSON.stringify(
          items.map(({ status }) => status),
          null,
          1,
        ),
      ).toBeDefined();
      return ready as V1Pod;
    }, patience);
  }

  const submit = async (name: string, schedule: Schedule, ...more: string[]) => {
    const places = 'dataset: s3://fourfold/dataset\nstore: s3://fourfold/store\nbatches: { from: nats }\n';
    const path = await cluster.writeFile(`${name}.yaml`, `name: ${name}\n${config(schedule)}${places}`);
    const image = more.includes('--image') ? [] : ['--image', fourfoldImage];
    return cluster.fourfold('submit', path, ...inNamespace, ...cpuWorkers, ...image, ...more);
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
  }, 300_000);

  test('a deleted pod, a drained node and one that is switched off change no bit', async () => {
    const [first] = phases;
    const endless = { kind: 'gan', iterations: 1_000_000, learningRate: 1e-4 };
    // All of it on one node.
    await cluster.specify('node-2', { unschedulable: true });
    expect((await submit('second', [first, endless])).code).toBe(0);
    const beyond = await progress('second', 0);

    const [coordinator] = await cluster.podsOf(namespace, 'second', 'coordinator');
    await cluster.core.deleteNamespacedPod({ name: coordinator.metadata?.name as string, namespace });
    await untilReplaced('second', [coordinator]);
    const afterDeletion = await progress('second', beyond);

    await cluster.specify('node-2', {});
    await cluster.specify('node-1', { unschedulable: true });
    const drained = await podsOf('second');
    for (const pod of drained) await cluster.evict(pod);
    await untilReplaced('second', drained);
    const afterDrain = await progress('second', afterDeletion);

    const lost = await podsOf('second');
    const node = cluster.nodes[1];
    await node.switchOff();
    await cluster.specify('node-1', {});
    // As the guide says.
    await cluster.specify(node.name, { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] });
    await untilReplaced('second', lost);
    await progress('second', afterDrain);
    node.switchOn();
    await cluster.specify(node.name, {});
    await cluster.untilReady(node);

    expect((await cluster.fourfold('cancel', 'second', ...inNamespace)).code).toBe(0);
    const { checkpoint, ...weights } = await weightsOf('second');
    const iterations = Number(/\d+/.exec(checkpoint)?.[0]) - first.iterations;
    const { checkpoint: own, ...alone } = await weightsOfOneWorker(config([first, { ...endless, iterations }]));
    expect(weights, `${checkpoint}, ${own}`).toEqual(alone);
  }, 600_000);

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
  }, 300_000);

  const weightsOf = (run: string) =>
    pulledWeights({
      run: (...args: string[]) => startFourfold(args, [], store),
      runUrl: `s3://fourfold/store/runs/${run}`,
    });

  const podsOf = async (run: string) =>
    (
      await Promise.all(['coordinator', 'worker', 'data-loader'].map((role) => cluster.podsOf(namespace, run, role)))
    ).flat();

  /** Wait until these pods are gone and as many others run. */
  const untilReplaced = (run: string, pods: readonly V1Pod[]) =>
    vi.waitFor(async () => {
      const uids = new Set(pods.map(({ metadata }) => metadata?.uid));
      const all = await podsOf(run);
      const described = all.map(({ metadata, spec, status }) => `${metadata?.name} ${spec?.nodeName} ${status?.phase}`);
      expect(all.filter(({ metadata }) => uids.has(metadata?.uid)).filter(isRunning), described.join()).toEqual([]);
      expect(all.filter(isRunning), described.join()).toHaveLength(5);
    }, patience);

  /** Wait until a run is beyond an iteration; returns where it is. */
  const progress = (run: string, iteration: number) =>
    vi.waitFor(async () => {
      const { stdout, stderr } = await cluster.fourfold('status', run, ...inNamespace, '--json');
      const { training } = JSON.parse(stdout) as { training?: { iteration: number } };
      expect(training?.iteration, stdout + stderr).toBeGreaterThan(iteration);
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

const secret = (name: string, stringData: Record<string, string>): KubernetesObject =>
  ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData }) as KubernetesObject;

/** A volume for MinIO on a node's own disk, as an administrator would offer one where nothing makes them on demand. */
const volumeOf = (node: string): KubernetesObject =>
  ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'disk' },
    spec: {
      capacity: { storage: '200Gi' },
      accessModes: ['ReadWriteOnce'],
      local: { path: '/var/local' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
          ],
        },
      },
    },
  }) as KubernetesObject;
