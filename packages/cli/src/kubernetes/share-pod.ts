import type { V1Job } from '@kubernetes/client-node';
import { FourfoldError, type Tree } from '@fourfold/common';
import { gpuResource } from './labels.js';

/*
 * Workers that share a pod: one container with a GPU for each, whose process starts them (`fourfold worker --gpus N`).
 */

/** What deploy/k8s opens between pods: 7001 to 7016 for gRPC, 7101 to 7116 for probes and metrics. */
const mostWorkers = 16;
/** What a worker may put into memory that it shares with its neighbours: vectors of paper size, 100 MB each. */
const sharedMebibytes = 512;

/** How many workers a pod of a run's Job has. */
export const workersPerPod = (job: V1Job): number =>
  Number(job.spec?.template.spec?.containers[0].resources?.limits?.[gpuResource] ?? 1);

/**
 * How many pods of `perPod` workers there are. Throws `invalid` if that is not whole, or a pod has more than 16; `whose` has the option that
 * set it.
 */
export function podsOf(workers: number, perPod: number, whose = `--gpus-per-pod is ${perPod}`): number {
  if (perPod > mostWorkers) {
    throw new FourfoldError('invalid', `${whose}: a pod has ports for at most ${mostWorkers} workers`);
  }
  if (workers % perPod !== 0) {
    throw new FourfoldError('invalid', `${whose}, and --workers is ${workers}: the last pod would not be full`, {
      hint: `set --workers to a multiple of ${perPod}`,
    });
  }
  return workers / perPod;
}

interface WorkerContainer extends Tree {
  args: string[];
  ports: { name: string; containerPort: number }[];
  resources: Record<'requests' | 'limits', Tree>;
  volumeMounts: Tree[];
}

/** Make the pod of one worker with a GPU, finished but for this, one of `count`, with `count` times its resources. */
export function sharePod(template: Tree, count: number): void {
  const pod = template['spec'] as Tree & { containers: WorkerContainer[]; volumes: Tree[] };
  const [container] = pod.containers;
  const { requests, limits } = container.resources;
  container.args = [...container.args, `--gpus=${count}`];
  container.ports = Array.from({ length: count }, (_, gpu) =>
    container.ports.map(({ name, containerPort }) => ({
      name: gpu === 0 ? name : `${name}-${gpu}`,
      containerPort: containerPort + gpu,
    })),
  ).flat();
  for (const resources of [requests, limits]) {
    for (const [name, quantity] of Object.entries(resources)) resources[name] = times(String(quantity), count);
  }
  limits[gpuResource] = count;
  // Its process asks each worker for /healthz: a probe would restart all of them for one.
  delete container['livenessProbe'];
  container.volumeMounts = [...container.volumeMounts, { name: 'shared-memory', mountPath: '/dev/shm' }];
  const size = times(`${sharedMebibytes}Mi`, count);
  pod.volumes = [...pod.volumes, { name: 'shared-memory', emptyDir: { medium: 'Memory', sizeLimit: size } }];
}

/** A quantity of Kubernetes times a whole number. */
function times(quantity: string, count: number): string {
  const [, number, unit] = /^([\d.]+)(.*)$/.exec(quantity) as unknown as [string, string, string];
  // Floating point would make 0.30000000000000004 of three times 0.1.
  return `${Number((Number(number) * count).toFixed(3))}${unit}`;
}
