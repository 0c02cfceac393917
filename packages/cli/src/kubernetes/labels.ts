import type { V1Job, V1Node, V1Pod } from '@kubernetes/client-node';

/** Labels of a run's objects. */
export const labels = {
  name: 'app.kubernetes.io/name',
  run: 'app.kubernetes.io/instance',
  role: 'app.kubernetes.io/component',
  queue: 'kueue.x-k8s.io/queue-name',
} as const;

/** Selects the objects of all runs, or of one. */
export const selectorOf = (run?: string): string =>
  [`${labels.name}=fourfold`, run === undefined ? labels.run : `${labels.run}=${run}`].join(',');

/** The extended resource of NVIDIA's device plugin. */
export const gpuResource = 'nvidia.com/gpu';

/** How many GPUs of a node pods may use. */
export const gpusOf = ({ status }: V1Node): number => Number(status?.allocatable?.[gpuResource] ?? 0);

/** The index of an Indexed Job's pod. */
export const indexOf = ({ metadata }: V1Pod): number | undefined => {
  const index = metadata?.annotations?.['batch.kubernetes.io/job-completion-index'];
  return index === undefined ? undefined : Number(index);
};

export const runOf = ({ metadata }: V1Job | V1Pod): string => metadata?.labels?.[labels.run] ?? '';
export const roleOf = ({ metadata }: V1Job | V1Pod): string => metadata?.labels?.[labels.role] ?? '';
