import { hasKubernetes, missingForNodes } from '@fourfold/local-servers';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { testCertificates } from './nodes/certificates.js';
import { testLostNodes } from './nodes/lost-nodes.js';
import { testOperation } from './nodes/operation.js';
import { testOverlays } from './nodes/overlays.js';
import { createRuns, inNamespace, type Runs } from './nodes/runs.js';
import { testStarts } from './nodes/starts.js';
import { fourfoldImage } from './support/cluster-images.js';
import { claimOfPhotographs, photographsClaim, prepareNamespace } from './support/guide-namespace.js';
import { kustomize } from './support/kubernetes.js';
import { lacks } from './support/needs.mjs';
import { killAll } from './support/process.js';
import { startRealCluster, type RealCluster } from './support/real-nodes.js';
import { serverImagesOf } from './support/server-images.js';

/*
 * A Kubernetes of two nodes that run containers, each in namespaces of its own: the namespace of the guide with TLS, its servers, a dataset, and runs. Most of the
 * time goes into starting, and into what Kubernetes waits for: a silent node, and the next pod of a Job that has lost some. Runs therefore go beside each other.
 */

const missing = hasKubernetes() ? missingForNodes() : 'npm run setup:servers -- kubernetes has not been run';

describe.skipIf(lacks('nodes', !missing, missing))(`Kubernetes with nodes${missing ? `: ${missing}` : ''}`, () => {
  let cluster: RealCluster;
  let runs: Runs;

  beforeAll(async () => {
    const [overlay, monitoring] = await Promise.all(
      ['overlays/tls-files', 'overlays/monitoring'].map((path) => kustomize(path)),
    );
    cluster = await startRealCluster(2, serverImagesOf(overlay));
    // NATS is to stay: the second node is lost later.
    await cluster.specify('node-2', { unschedulable: true });
    // The rest is for an operator that is not here.
    const policies = monitoring.filter(({ kind }) => kind === 'NetworkPolicy');
    runs = createRuns(cluster, await prepareNamespace(cluster, [...overlay, ...policies, claimOfPhotographs]));
    const photographs = ['--claim', photographsClaim, '--images', '.', '--sample', '6', '--seed', '1'];
    const dataset = ['--out', 's3://fourfold/dataset', '--cpu', '1', '--image', fourfoldImage];
    await runs.fourfold('submit', 'prepare', ...photographs, ...dataset);
    const prepared = await cluster.fourfold('status', 'prepare-dataset', ...inNamespace, '--watch');
    expect(prepared.code, prepared.stdout + prepared.stderr).toBe(0);
  });

  afterAll(async () => {
    await killAll();
    await cluster?.stop();
  });

  describe.concurrent('nodes', () => testLostNodes(() => runs));
  describe.concurrent('operation', () => {
    testOperation(() => runs);
    testStarts(() => runs);
  });
  describe.concurrent('overlays', () => {
    testCertificates(() => runs);
    testOverlays(() => runs);
  });
});
