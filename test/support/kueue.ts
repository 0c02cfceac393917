import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubernetesObject } from '@kubernetes/client-node';
import { freePorts } from '@fourfold/local-servers';
import { vi } from 'vitest';
import type { TestKubernetes } from './kubernetes.js';

/*
 * Kueue's controller beside a test's cluster, configured as in its own manifests: it makes certificates and puts them
 * into a Secret and into the definitions by which the API server calls it.
 */

const namespace = 'kueue-system';
const secret = 'kueue-webhook-server-cert';
const service = 'kueue-webhook-service';
/** Kueue's controller, which admits Jobs until it is stopped; then Jobs need no admission. */
export interface Kueue {
  stop(): Promise<void>;
}

/** The kinds whose definitions get Kueue's certificates. */
const converted = ['localqueues', 'clusterqueues', 'workloads', 'cohorts', 'multikueueclusters'];

/**
 * Define Kueue's resources, start its controller and let it admit Jobs. Resolves when the API server calls it for every
 * new Job. It may be stopped and started again with other `gates`.
 */
export async function startKueue(kubernetes: TestKubernetes, gates: readonly string[]): Promise<Kueue> {
  const { apply, core, remove } = kubernetes;
  const [port] = await freePorts(1);
  const client = (path: string) => ({ service: { namespace, name: service, path, port } });
  await kubernetes.defineResources(/^kueue\./, (object) =>
    converted.includes(object.metadata?.name?.split('.')[0] ?? '')
      ? withConversion(object, client('/convert'))
      : object,
  );
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: secret, namespace } });
  // Nothing routes to a Service's cluster address here.
  const spec = { type: 'ExternalName', externalName: 'localhost' };
  await apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: service, namespace }, spec } as KubernetesObject);
  const admitting = admission(client);
  for (const object of admitting) await apply(object);
  const controller = await kubernetes.startKueue(port, (folder) => mountSecret(core, folder), gates);
  return {
    async stop() {
      for (const object of admitting) await remove(object);
      await controller.stop();
    },
  };
}

/** Write the Secret's files into a folder as soon as it has any, as a kubelet does. */
async function mountSecret(core: TestKubernetes['core'], folder: string): Promise<void> {
  const files = await vi.waitFor(
    async () => {
      const { data } = await core.readNamespacedSecret({ namespace, name: secret });
      assert(data, `the Secret ${secret} holds certificates`);
      return Object.entries(data);
    },
    { timeout: 300_000, interval: 100 },
  );
  for (const [name, content] of files) await writeFile(join(folder, name), Buffer.from(content, 'base64'));
}

function withConversion(definition: KubernetesObject, clientConfig: object): KubernetesObject {
  const { spec } = definition as KubernetesObject & { spec: object };
  const conversion = { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions: ['v1'] } };
  return { ...definition, spec: { ...spec, conversion } } as KubernetesObject;
}

/** The part of Kueue's admission that Jobs need. */
function admission(client: (path: string) => object): KubernetesObject[] {
  const webhook = (verb: 'mutate' | 'validate', operations: string[]) => ({
    name: `${verb}-job.kueue.example`,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: client(`/${verb}-batch-v1-job`),
    rules: [{ apiGroups: ['batch'], apiVersions: ['v1'], operations, resources: ['jobs'] }],
    // Kueue leaves other Jobs alone, and they need not wait for its start.
    objectSelector: { matchExpressions: [{ key: 'kueue.x-k8s.io/queue-name', operator: 'Exists' }] },
  });
  const of = (kind: string, name: string, webhooks: object[]) =>
    ({ apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name }, webhooks }) as KubernetesObject;
  return [
    of('MutatingWebhookConfiguration', 'kueue-mutating-webhook-configuration', [webhook('mutate', ['CREATE'])]),
    of('ValidatingWebhookConfiguration', 'kueue-validating-webhook-configuration', [
      webhook('validate', ['CREATE', 'UPDATE']),
    ]),
  ];
}

/** An object of Kueue's own. */
export const kueueObject = (kind: string, metadata: object, spec: object): KubernetesObject =>
  ({ apiVersion: 'kueue.x-k8s.io/v1beta2', kind, metadata, spec }) as KubernetesObject;

/** The ClusterQueue `fourfold` with a quota of each resource, on any node. */
export function clusterQueue(quotas: Record<string, string>): KubernetesObject[] {
  const resources = Object.entries(quotas).map(([name, nominalQuota]) => ({ name, nominalQuota }));
  const group = { coveredResources: Object.keys(quotas), flavors: [{ name: 'any', resources }] };
  return [
    kueueObject('ResourceFlavor', { name: 'any' }, {}),
    kueueObject('ClusterQueue', { name: 'fourfold' }, { namespaceSelector: {}, resourceGroups: [group] }),
  ];
}
