import type { V1Node } from '@kubernetes/client-node';
import { gpusOf } from './labels.js';

/** Labels that tell a node's GPU model, best first: of NVIDIA's GPU feature discovery, of GKE, of any cloud. */
const modelLabels = ['nvidia.com/gpu.product', 'cloud.google.com/gke-accelerator', 'node.kubernetes.io/instance-type'];

/**
 * What to tell a user whose workers may land on GPUs of several models; undefined if the nodes that the selector leaves have one, or do not
 * tell.
 */
export function mixedGpus(nodes: readonly V1Node[], nodeSelector: Record<string, string> = {}): string | undefined {
  const labelsOf = ({ metadata }: V1Node) => metadata?.labels ?? {};
  const possible = nodes.filter(
    (node) => gpusOf(node) > 0 && Object.entries(nodeSelector).every(([key, value]) => labelsOf(node)[key] === value),
  );
  const label = modelLabels.find((key) => possible.some((node) => key in labelsOf(node)));
  if (label === undefined) return undefined;
  const models = [...new Set(possible.map((node) => labelsOf(node)[label] ?? 'unknown'))].sort();
  if (models.length < 2) return undefined;
  return (
    `the nodes with GPUs differ in ${label} (${models.join(', ')}), and a run’s workers must be of one kind: ` +
    `choose with --node-selector ${label}=${models[0]}`
  );
}
