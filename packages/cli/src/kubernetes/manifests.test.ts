import type { V1Job } from '@kubernetes/client-node';
import { parseRunConfig } from '@fourfold/common';
import { expect, test } from 'vitest';
import { renderRun, type ManifestOptions } from './manifests.js';
import { checkForCluster } from './submit.js';

const phases = [{ kind: 'mse', iterations: 1, learningRate: 1e-4 }];
const places = { dataset: 's3://bucket/dataset', store: 's3://bucket/store' };
const configWith = (threads: number) =>
  parseRunConfig({ name: 'one', ...places, phases, workers: { threads } }, 'a test');

async function jobsOf(
  options: Partial<ManifestOptions> & Pick<ManifestOptions, 'config'>,
): Promise<Record<string, V1Job>> {
  const basis = { namespace: 'team', workers: 2, dataLoaders: 2, gpus: 0, image: 'fourfold', tls: false };
  const manifests = await renderRun({ ...basis, ...options });
  const jobs = manifests.filter(({ kind }) => kind === 'Job') as unknown as V1Job[];
  return Object.fromEntries(jobs.map((job) => [job.metadata?.name?.replace('one-', '') ?? '', job]));
}

async function workerResources(threads: number, gpus: number, options: Partial<ManifestOptions> = {}) {
  const { worker } = await jobsOf({ config: configWith(threads), gpus, ...options });
  return worker.spec?.template.spec?.containers[0].resources;
}

test('a worker asks for one CPU per thread, or for one GPU and the CPUs that feed it', async () => {
  expect((await workerResources(4, 0))?.requests).toMatchObject({ cpu: '4' });
  const { requests, limits } = (await workerResources(2, 1)) ?? {};
  expect(requests).toMatchObject({ cpu: '4' });
  expect(limits).toMatchObject({ 'nvidia.com/gpu': 1 });
});

test('--cpu and --memory are what a worker requests; memory is its limit too', async () => {
  const { requests, limits } = (await workerResources(2, 1, { cpu: '8', memory: '24Gi' })) ?? {};
  expect(requests).toEqual({ cpu: '8', memory: '24Gi' });
  expect(limits).toEqual({ memory: '24Gi', 'nvidia.com/gpu': 1 });
});

test('workers that share a pod have a GPU, ports and resources each, and one shared memory', async () => {
  const { worker } = await jobsOf({ config: configWith(2), workers: 16, gpus: 1, gpusPerPod: 8, cpu: '1.1' });
  expect(worker.spec).toMatchObject({ completions: 2, parallelism: 2 });
  const [container] = worker.spec?.template.spec?.containers ?? [];
  expect(container.resources).toEqual({
    requests: { cpu: '8.8', memory: '64Gi' },
    limits: { memory: '128Gi', 'nvidia.com/gpu': 8 },
  });
  expect(container.args?.at(-1)).toBe('--gpus=8');
  const ports = container.ports?.map(({ name, containerPort }) => `${name} ${containerPort}`) ?? [];
  expect(ports).toHaveLength(16);
  expect(ports).toEqual(expect.arrayContaining(['grpc 7001', 'http 7101', 'grpc-7 7008', 'http-7 7108']));
  expect(container).not.toHaveProperty('livenessProbe');
  expect(container.volumeMounts?.at(-1)).toEqual({ name: 'shared-memory', mountPath: '/dev/shm' });
  const memory = { name: 'shared-memory', emptyDir: { medium: 'Memory', sizeLimit: '4096Mi' } };
  expect(worker.spec?.template.spec?.volumes?.at(-1)).toEqual(memory);
});

test('a pod that would not be full, has no ports for its workers, or no GPUs is refused', async () => {
  const render = (workers: number, gpusPerPod: number) =>
    jobsOf({ config: configWith(1), workers, gpus: 1, gpusPerPod });
  await expect(render(12, 8)).rejects.toThrow('--gpus-per-pod is 8, and --workers is 12: the last pod would not be');
  await expect(render(32, 32)).rejects.toThrow('--gpus-per-pod is 32: a pod has ports for at most 16 workers');
  const check = () => checkForCluster(configWith(1), { gpus: 0, gpusPerPod: 2 });
  expect(check).toThrow('--gpus is 0, and --gpus-per-pod is 2');
});

const pods = {
  nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3' },
  tolerations: [{ key: 'team', operator: 'Equal', value: 'vision', effect: 'NoSchedule' }],
  priorityClass: 'batch',
  imagePullSecrets: ['registry'],
  labels: { 'cost-center': '42' },
} as const;

test('a node selector and tolerations choose nodes for workers; priority, pull secrets and labels are for all pods', async () => {
  const jobs = await jobsOf({ config: configWith(1), gpus: 1, ...pods });
  expect(Object.keys(jobs)).toEqual(['coordinator', 'worker', 'data-loader']);
  for (const [role, { metadata, spec }] of Object.entries(jobs)) {
    const template = spec?.template;
    expect(metadata?.labels).toMatchObject({ ...pods.labels, 'app.kubernetes.io/instance': 'one' });
    expect(template?.metadata?.labels).toMatchObject({ ...pods.labels, 'app.kubernetes.io/component': role });
    expect(template?.spec).toMatchObject({ priorityClassName: 'batch', imagePullSecrets: [{ name: 'registry' }] });
    const { nodeSelector, tolerations } = template?.spec ?? {};
    const nvidia = { key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' };
    expect({ nodeSelector, tolerations }).toEqual(
      role === 'worker' ? { nodeSelector: pods.nodeSelector, tolerations: [nvidia, ...pods.tolerations] } : {},
    );
  }
  const { coordinator } = await jobsOf({ config: configWith(1), gpus: 1, ...pods, placeAllPods: true });
  expect(coordinator.spec?.template.spec).toMatchObject({
    nodeSelector: pods.nodeSelector,
    tolerations: pods.tolerations,
  });
});

test('without a namespace whoever applies the objects chooses it', async () => {
  const manifests = await renderRun({
    config: configWith(1),
    workers: 2,
    dataLoaders: 2,
    gpus: 0,
    image: 'fourfold',
    tls: true,
  });
  for (const { metadata } of manifests) expect(metadata).not.toHaveProperty('namespace');
});

test('the name of a preparation is refused for a run', () => {
  expect(() => checkForCluster({ ...configWith(1), name: 'prepare-photos' }, { gpus: 1 })).toThrow(
    expect.objectContaining({
      code: 'invalid',
      message:
        'name is prepare-photos: names that begin with prepare- are those of preparations (fourfold submit prepare)',
    }),
  );
});

test('a network to start from is one that pods see, or a run of the store', () => {
  const check = (from: object) => {
    const gan = { kind: 'gan', iterations: 1, learningRate: 1e-4 };
    const config = {
      name: 'one',
      ...places,
      phases: [gan],
      loss: { content: 'mse' },
      workers: { threads: 1 },
      ...from,
    };
    checkForCluster(parseRunConfig(config, 'a test'), { gpus: 0 });
  };
  for (const key of ['startFrom', 'discriminatorFrom']) {
    expect(() => check({ [key]: '/data/runs/other' })).toThrow(`${key} is file:///data/runs/other: pods do not see`);
    check({ [key]: 'other' });
    check({ [key]: 's3://bucket/runs/other' });
  }
});

test('LPIPS needs weights that pods see', () => {
  const validation = { images: 's3://bucket/pictures', lpips: 'alex' };
  const check = (lpipsWeights: object) => {
    const config = { name: 'one', ...places, phases, validation: { ...validation, ...lpipsWeights } };
    checkForCluster(parseRunConfig({ ...config, workers: { threads: 1 } }, 'a test'), { gpus: 0 });
  };
  expect(() => check({})).toThrow('validation.lpips is alex: pods do not see this machine’s cache folder');
  expect(() => check({ lpipsWeights: '/weights' })).toThrow(
    'validation.lpipsWeights is file:///weights: pods do not see',
  );
  expect(() => check({ lpipsWeights: 's3://bucket/weights' })).not.toThrow();
});

test('GPUs that no worker would use are refused', () => {
  expect(() => checkForCluster(configWith(1), { gpus: 1 })).not.toThrow();
  expect(() => checkForCluster(configWith(1), { gpus: 2 })).toThrow(
    expect.objectContaining({ code: 'invalid', message: '--gpus is 2: a worker computes on one GPU' }),
  );
});
