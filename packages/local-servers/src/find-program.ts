import { delimiter, join } from 'node:path';
import { cacheFolder } from '@fourfold/common';
import { findProgram as findServer, isExecutable, requireProgram as requireServer } from 'fourfold/servers';

/** Programs of a Kubernetes cluster without containers; `npm run setup:servers -- kubernetes` compiles them. */
export const kubernetesPrograms = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
  'jobset-controller',
  'kueue-controller',
  'kustomize',
] as const;

/** Programs of nodes that run containers, and DNS for them; the same command compiles them. */
export const nodePrograms = ['kubelet', 'kube-proxy', 'kube-network-policies', 'coredns'] as const;

/** What people use a cluster with, and what makes certificates in it; the same command compiles them. */
export const toolPrograms = ['kubectl', 'helm', 'cert-manager'] as const;

/** Programs that `npm run setup:servers` installs if the machine lacks them. */
export type ServerProgram = 'nats-server' | 'minio' | 'prometheus' | 'promtool' | KubernetesProgram;

/** A program that `npm run setup:servers -- kubernetes` compiles. */
export type KubernetesProgram =
  (typeof kubernetesPrograms)[number] | (typeof nodePrograms)[number] | (typeof toolPrograms)[number];

/** The folder of YAML files with the custom resource definitions that `npm run setup:servers -- kubernetes` fetches. */
export const customResourcesFolder = (): string => join(cacheFolder(), 'kubernetes-crds');

/** Path of a program on the PATH, else in the cache folder; undefined if it is in neither. */
export const findProgram = (name: ServerProgram): string | undefined => findServer(name);

/** Like `findProgram`, but throws `not-found` if there is none. */
export const requireProgram = (name: ServerProgram): string =>
  requireServer(name, isOfKubernetes(name) ? 'npm run setup:servers -- kubernetes' : undefined);

const isOfKubernetes = (name: string): boolean =>
  ([...kubernetesPrograms, ...nodePrograms, ...toolPrograms] as readonly string[]).includes(name);

/** Chromium and its relatives, by their usual names and folders. */
const browsers = {
  names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge'],
  folders: ['/usr/bin', '/usr/local/bin', '/snap/bin', '/opt/google/chrome', '/usr/lib/chromium'],
  others: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ],
};

/** Path of a Chromium-based browser on the PATH or in the usual folders; undefined if there is none. */
export function findBrowser(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...browsers.folders];
  const paths = browsers.names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...paths, ...browsers.others].find(isExecutable);
}
