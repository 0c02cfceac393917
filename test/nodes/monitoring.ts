import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import { expect, vi } from 'vitest';
import { prometheusImage } from '../support/cluster-images.js';
import { isRunning, kustomize } from '../support/kubernetes.js';
import { query } from '../support/metrics.js';
import { patience, type RealCluster } from '../support/real-nodes.js';
import { scrapeConfigOf, type PodMonitor } from '../support/scrape-config.js';
import { placedOnFirstNode, type Runs } from './runs.js';

const monitoring = 'monitoring';
const name = 'prometheus';
const port = 9090;

/** Expect that Prometheus, in a pod of its namespace, scrapes all pods of a run: as many of each role as `counts` says, by the overlay's PodMonitor. */
export async function expectScraped({ cluster, podsOf }: Runs, run: string, counts: Record<string, number>) {
  const monitor = (await kustomize('overlays/monitoring')).find(({ kind }) => kind === 'PodMonitor') as PodMonitor;
  // More often than the manifest says.
  const scraped = { ...scrapeConfigOf(monitor, await podsOf(run)), scrape_interval: '2s', scrape_timeout: '2s' };
  const data = { 'prometheus.yml': JSON.stringify({ scrape_configs: [scraped] }) };
  for (const object of [namespace, configMap(data), pod]) {
    // A new namespace has no service account for a moment.
    await vi.waitFor(() => cluster.apply(object), patience);
  }
  const url = `http://127.0.0.1:${await cluster.forward(await running(cluster), port)}`;
  await vi.waitFor(async () => {
    const targets = await query(url, 'up');
    expect(targets.filter(({ value }) => value !== 1)).toEqual([]);
    const countOf = (role: string) => targets.filter(({ labels }) => labels['job'] === role).length;
    expect(Object.fromEntries(Object.keys(counts).map((role) => [role, countOf(role)]))).toEqual(counts);
    const [iteration] = await query(url, `fourfold_iteration{run="${run}"}`);
    expect(iteration?.value).toBeGreaterThan(0);
  }, patience);
}

const running = ({ core }: RealCluster): Promise<V1Pod> =>
  vi.waitFor(async () => {
    const found = await core.readNamespacedPod({ name, namespace: monitoring });
    expect(isRunning(found), JSON.stringify(found.status)).toBe(true);
    return found;
  }, patience);

const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: monitoring } };

const configMap = (data: Record<string, string>): KubernetesObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: monitoring }, data }) as KubernetesObject;

const pod = {
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: monitoring } },
  spec: {
    ...placedOnFirstNode,
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name,
        image: prometheusImage,
        command: [name, '--config.file=/etc/prometheus/prometheus.yml', '--storage.tsdb.path=/data'],
        ports: [{ containerPort: port }],
        resources: { requests: { cpu: '1' } },
        volumeMounts: [
          { name: 'config', mountPath: '/etc/prometheus' },
          { name: 'data', mountPath: '/data' },
        ],
      },
    ],
    volumes: [
      { name: 'config', configMap: { name } },
      { name: 'data', emptyDir: {} },
    ],
  },
} as KubernetesObject;
