import type { KubernetesObject } from '@kubernetes/client-node';
import type { TestKubernetes } from './kubernetes.js';

/** Start JobSet's controller beside a test's cluster, which knows its resources, and have the API server ask it about JobSets, as its own manifests do. */
export async function startJobSet(kubernetes: TestKubernetes): Promise<void> {
  const { url, authority } = await kubernetes.startJobSet();
  const caBundle = Buffer.from(authority).toString('base64');
  for (const [kind, path, operations] of [
    ['MutatingWebhookConfiguration', 'mutate', ['CREATE']],
    ['ValidatingWebhookConfiguration', 'validate', ['CREATE', 'UPDATE']],
  ] as const) {
    const webhook = {
      name: `${path}.jobset.example`,
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      clientConfig: { url: `${url}/${path}-jobset-x-k8s-io-v1alpha2-jobset`, caBundle },
      rules: [{ apiGroups: ['jobset.x-k8s.io'], apiVersions: ['v1alpha2'], operations, resources: ['jobsets'] }],
    };
    const apiVersion = 'admissionregistration.k8s.io/v1';
    await kubernetes.apply({ apiVersion, kind, metadata: { name: 'jobset' }, webhooks: [webhook] } as KubernetesObject);
  }
}
