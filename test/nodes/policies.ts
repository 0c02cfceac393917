import { namespace } from '../support/guide-namespace.js';
import { expectReached, type Probe, type Targets } from '../support/probe-pods.js';
import type { Runs } from './runs.js';

/** Expect that pods reach what docs/kubernetes.md says, and nothing else: of a run, its servers and the cluster. */
export async function expectPolicies({ cluster, podsOf }: Runs, run: string): Promise<void> {
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
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  // On both nodes, whether the target is on the same or not.
  const nodes = cluster.nodes.map(({ name }) => name);
  await Promise.all(
    probes.map((probe, i) => expectReached(cluster, targets, { ...probe, node: nodes[i % nodes.length] })),
  );
}
