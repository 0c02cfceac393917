import { hasKubernetes } from '@fourfold/local-servers';
import { afterAll, describe } from 'vitest';
import { testEndings } from './kubernetes/endings.js';
import { testGuide } from './kubernetes/guide.js';
import { testManifests } from './kubernetes/manifests.js';
import { testOperation } from './kubernetes/operation.js';
import { testQueueing } from './kubernetes/queueing.js';
import { gpuCluster } from './support/kubernetes.js';
import { killAll } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * deploy/k8s and the commands for Kubernetes against a real API server, scheduler and controllers. Nodes and pods are played by kwok:
 * other tests cover what runs in the pods. All share one cluster, in turn, each with namespaces of its own.
 */

describe.skipIf(lacks('kubernetes', hasKubernetes()))('Kubernetes (after npm run setup:servers -- kubernetes)', () => {
  afterAll(async () => {
    await killAll();
    await (await gpuCluster()).stop();
  });

  describe('manifests', testManifests);
  describe('operation', testOperation);
  describe('queueing', testQueueing);
  describe('guide', testGuide);
  // The last, since it removes nodes.
  describe('endings', testEndings);
});
