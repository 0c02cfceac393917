import type { V1Job } from '@kubernetes/client-node';
import { parseRunConfig } from '@fourfold/common';
import { expect, test } from 'vitest';
import { renderRun } from './manifests.js';
import { checkForCluster } from './submit.js';

const phases = [{ kind: 'mse', iterations: 1, learningRate: 1e-4 }];
const places = { dataset: 's3://bucket/dataset', store: 's3://bucket/store' };
const configWith = (threads: number) =>
  parseRunConfig({ name: 'one', ...places, phases, workers: { threads } }, 'a test');

async function workerResources(threads: number, gpus: number) {
  const options = { namespace: 'team', workers: 2, dataLoaders: 0, image: 'fourfold', tls: false };
  const manifests = await renderRun({ ...options, config: configWith(threads), gpus });
  const job = manifests.find(({ metadata }) => metadata?.name === 'one-worker') as unknown as V1Job;
  return job.spec?.template.spec?.containers[0].resources;
}

test('a worker asks for one CPU per thread, or for one GPU and the CPUs that feed it', async () => {
  expect((await workerResources(4, 0))?.requests).toMatchObject({ cpu: '4' });
  const { requests, limits } = (await workerResources(2, 1)) ?? {};
  expect(requests).toMatchObject({ cpu: '4' });
  expect(limits).toMatchObject({ 'nvidia.com/gpu': 1 });
});

test('GPUs that no worker would use are refused', () => {
  expect(() => checkForCluster(configWith(1), 1)).not.toThrow();
  expect(() => checkForCluster(configWith(1), 2)).toThrow(
    expect.objectContaining({ code: 'invalid', message: '--gpus is 2: a worker computes on one GPU' }),
  );
});
