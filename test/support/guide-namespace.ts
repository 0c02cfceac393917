import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import { expect, vi } from 'vitest';
import { accessSecret } from './kubernetes.js';
import { localVolume, readOnlyClaim } from './local-volumes.js';
import { expectFinished, photographs, startFourfold } from './process.js';
import { patience, type RealCluster } from './real-nodes.js';

/*
 * The namespace of docs/kubernetes.md on a cluster of real nodes, with certificates of `fourfold certificates`.
 */

export const namespace = 'fourfold';

/** A claim of the namespace: the example photographs. */
export const photographsClaim = 'photographs';

/**
 * Apply `objects`, those of the overlay `tls-files`, and create the Secrets and volumes that they need; resolves when NATS and MinIO are ready. Returns the
 * environment in which a `fourfold` of this machine finds the object store.
 */
export async function prepareNamespace(
  cluster: RealCluster,
  objects: readonly KubernetesObject[],
): Promise<Record<string, string>> {
  // The nodes start meanwhile.
  const [tls] = await Promise.all([makeCertificates(cluster), applyAll(cluster, objects)]);
  await createSecrets(cluster, tls);
  await Promise.all(cluster.nodes.map((node) => cluster.untilReady(node)));
  const [minio] = await Promise.all(['fourfold-minio', 'fourfold-nats'].map((name) => untilReady(cluster, name)));
  return {
    FOURFOLD_S3_ENDPOINT: `https://localhost:${await cluster.forward(minio, 9000)}`,
    FOURFOLD_S3_ACCESS_KEY: accessSecret['s3-access-key'],
    FOURFOLD_S3_SECRET_KEY: accessSecret['s3-secret-key'],
    NODE_EXTRA_CA_CERTS: join(tls, 'ca.crt'),
  };
}

async function applyAll(cluster: RealCluster, objects: readonly KubernetesObject[]): Promise<void> {
  await createVolumes(cluster);
  for (const object of objects) await cluster.apply(object);
}

/** As the guide does, for clusters without cert-manager; returns their folder. */
async function makeCertificates({ folder }: RealCluster): Promise<string> {
  const tls = join(folder, 'tls');
  const hosts = ['fourfold-nats', 'fourfold-minio', 'localhost'].flatMap((host) => ['--host', host]);
  await expectFinished(startFourfold(['certificates', '--out', tls, ...hosts]));
  return tls;
}

async function createSecrets({ apply }: RealCluster, tls: string): Promise<void> {
  await apply(secret('fourfold-access', accessSecret));
  for (const role of ['coordinator', 'worker', 'data-loader', 'nats', 'minio']) {
    const files = { 'tls.crt': `${role}.crt`, 'tls.key': `${role}.key`, 'ca.crt': 'ca.crt' };
    const texts = Object.entries(files).map(async ([key, file]) => [key, await readFile(join(tls, file), 'utf8')]);
    await apply(secret(`fourfold-${role}-tls`, Object.fromEntries(await Promise.all(texts)) as Texts));
  }
}

/** As an administrator would offer them where nothing makes volumes on demand: on the first node's own disk. */
async function createVolumes(cluster: RealCluster): Promise<void> {
  const [node] = cluster.nodes;
  await mkdir(join(node.folder, 'volumes/minio'), { recursive: true });
  await cp(join(photographs, 'train'), join(node.folder, 'volumes/photographs'), { recursive: true });
  await cluster.apply(localVolume('minio', node, '200Gi', 'ReadWriteOnce'));
  await cluster.apply(localVolume('photographs', node, '1Gi', 'ReadOnlyMany'));
}

/** The claim of the photographs. */
export const claimOfPhotographs = readOnlyClaim(photographsClaim, namespace);

/** The pod of a server, when it is ready. */
export async function untilReady({ core }: RealCluster, name: string, where = namespace): Promise<V1Pod> {
  return vi.waitFor(async () => {
    const labelSelector = `app.kubernetes.io/name=${name}`;
    const { items } = await core.listNamespacedPod({ namespace: where, labelSelector });
    const ready = items.find(({ status }) =>
      status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'),
    );
    const statuses = items.map(({ status }) => status);
    expect(ready, JSON.stringify(statuses, null, 1)).toBeDefined();
    return ready as V1Pod;
  }, patience);
}

type Texts = Record<string, string>;

/** A Secret of texts. */
export const secret = (name: string, stringData: Texts, where = namespace): KubernetesObject =>
  ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: where }, stringData }) as KubernetesObject;
