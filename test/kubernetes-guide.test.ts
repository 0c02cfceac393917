import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { missingForNodes } from '@fourfold/local-servers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateSteps, helmSteps, namespaceSteps, photographSteps, runSteps } from './support/guide-steps.js';
import { serverImagesOf } from './support/server-images.js';
import { follow } from './support/guide.js';
import { openReader, type Reader } from './support/guide-reader.js';
import { kustomize } from './support/kubernetes.js';
import { localVolume } from './support/local-volumes.js';
import { lacks } from './support/needs.mjs';
import { startRealCluster, type RealCluster } from './support/real-nodes.js';

/*
 * docs/kubernetes.md as a reader follows it, command by command as printed, on a node that runs containers: `npm run guide`. It takes minutes: CI types what
 * needs no containers (test/kubernetes/guide.ts).
 */

describe.skipIf(lacks('guide', !!process.env['FOURFOLD_GUIDE']))('a reader (npm run guide)', () => {
  let cluster: RealCluster;
  let reader: Reader;

  beforeAll(async () => {
    expect(missingForNodes()).toBeUndefined();
    cluster = await startRealCluster(1, serverImagesOf(await kustomize('base')));
    const [node] = cluster.nodes;
    await cluster.untilReady(node);
    await mkdir(join(node.folder, 'volumes/minio'), { recursive: true });
    await cluster.apply(localVolume('minio', node, '200Gi', 'ReadWriteOnce'));
    reader = await openReader(cluster.kubeconfig, cluster.folder, cluster);
  });
  afterAll(async () => {
    await reader?.shell.close();
    await cluster?.stop();
  });

  test('prepares a namespace', () => follow(reader, namespaceSteps));
  test('makes datasets', async () => {
    await follow(reader, photographSteps);
    const watched = await cluster.fourfold('status', 'prepare-imagenet', '--namespace', 'fourfold', '--watch');
    expect(watched.code, watched.stdout + watched.stderr).toBe(0);
  });
  test('trains, and takes the model', () => follow(reader, runSteps));
  test('does the same with Helm', () => follow(reader, helmSteps));

  test('has cert-manager make the certificates, which a server takes', async () => {
    await follow(reader, certificateSteps);
    for (const command of [
      'kubectl -n team-a wait certificate --all --for=condition=Ready --timeout=5m',
      'kubectl -n team-a create secret generic fourfold-access --from-literal=nats-password=1 --from-literal=s3-access-key=1 --from-literal=s3-secret-key=1',
      'kubectl -n team-a rollout status deployment/fourfold-nats',
    ]) {
      const { code, output } = await reader.shell.run(command);
      expect(code, output).toBe(0);
    }
  });
});
