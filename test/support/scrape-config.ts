import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';

/** As the overlay `monitoring` has one: the Prometheus operator’s. */
export interface PodMonitor extends KubernetesObject {
  spec: {
    selector: { matchLabels: Record<string, string> };
    jobLabel: string;
    podMetricsEndpoints: { path: string; relabelings: { action: string; sourceLabels: string[]; regex: string }[] }[];
  };
}

/**
 * What Prometheus scrapes of these pods by a PodMonitor with one endpoint, whose rules keep ports by their names. The targets are listed, since the Prometheus of
 * `setup:servers` cannot ask Kubernetes.
 */
export function scrapeConfigOf({ metadata, spec }: PodMonitor, pods: readonly V1Pod[]): object {
  const [{ path, relabelings }] = spec.podMetricsEndpoints;
  const isKept = (port: string) => relabelings.every(({ regex }) => new RegExp(`^(?:${regex})$`).test(port));
  const isSelected = (pod: V1Pod) =>
    Object.entries(spec.selector.matchLabels).every(([label, value]) => pod.metadata?.labels?.[label] === value);
  const targets = pods.filter(isSelected).flatMap((pod) => {
    const ports = pod.spec?.containers.flatMap(({ ports }) => ports ?? []) ?? [];
    return ports
      .filter(({ name }) => isKept(name ?? ''))
      .map(({ containerPort }) => ({
        targets: [`${pod.status?.podIP}:${containerPort}`],
        labels: { job: pod.metadata?.labels?.[spec.jobLabel] },
      }));
  });
  return { job_name: metadata?.name, metrics_path: path, static_configs: targets };
}
