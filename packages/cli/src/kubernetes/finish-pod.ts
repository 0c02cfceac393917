import type { Tree } from '@fourfold/common';
import type { PodOptions, Toleration } from './pod-options.js';

interface PodSpec extends Tree {
  containers: Tree[];
  tolerations?: Toleration[];
}

/**
 * Put the image and the options into a Job's pod template. `hasResources`: this pod is what a node is chosen for, a worker's, and gets the
 * node selector, the tolerations and the resources.
 */
export function finishPod(
  template: Tree,
  hasResources: boolean,
  { image, ...options }: PodOptions & { image: string },
): void {
  const { labels, priorityClass, imagePullSecrets = [], placeAllPods = false } = options;
  const metadata = template['metadata'] as Tree;
  if (labels) metadata['labels'] = { ...(metadata['labels'] as Tree), ...labels };
  const pod = template['spec'] as PodSpec;
  const [container] = pod.containers;
  container['image'] = image;
  if (priorityClass !== undefined) pod['priorityClassName'] = priorityClass;
  if (imagePullSecrets.length > 0) pod['imagePullSecrets'] = imagePullSecrets.map((name) => ({ name }));
  if (hasResources || placeAllPods) place(pod, options);
  if (hasResources) setResources(container, options);
}

function place(pod: PodSpec, { nodeSelector, tolerations = [] }: PodOptions): void {
  if (nodeSelector) pod['nodeSelector'] = { ...(pod['nodeSelector'] as Tree | undefined), ...nodeSelector };
  if (tolerations.length > 0) pod.tolerations = [...(pod.tolerations ?? []), ...tolerations];
}

function setResources(container: Tree, { cpu, memory }: PodOptions): void {
  const { requests, limits } = container['resources'] as Record<'requests' | 'limits', Tree>;
  if (cpu !== undefined) requests['cpu'] = cpu;
  // No limit of CPUs: it would slow a pod on an idle node. Memory that was not requested may be gone when it is needed.
  if (memory !== undefined) requests['memory'] = limits['memory'] = memory;
}
