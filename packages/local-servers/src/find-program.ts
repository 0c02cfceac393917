import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { FourfoldError } from '@fourfold/common';

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

/** Programs that `npm run setup:servers` installs if the machine lacks them. */
export type ServerProgram = 'nats-server' | 'minio' | 'prometheus' | 'promtool' | (typeof kubernetesPrograms)[number];

const cache = () => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'fourfold');

/** Where `npm run setup:servers` puts programs: a cache folder outside the repository. */
const cacheBin = () => join(cache(), 'bin');

/** The folder of YAML files with the custom resource definitions that `npm run setup:servers -- kubernetes` fetches. */
export const customResourcesFolder = (): string => join(cache(), 'kubernetes-crds');

/** Path of a program on the PATH, else in the cache folder; undefined if it is in neither. */
export function findProgram(name: ServerProgram): string | undefined {
  return [...pathFolders(), cacheBin()].map((folder) => join(folder, name)).find(isExecutable);
}

const pathFolders = () => (process.env['PATH'] ?? '').split(delimiter);

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
  const folders = [...pathFolders(), ...browsers.folders];
  const paths = browsers.names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...paths, ...browsers.others].find(isExecutable);
}

/** Like `findProgram`, but throws `not-found` if there is none. */
export function requireProgram(name: ServerProgram): string {
  const path = findProgram(name);
  if (path) return path;
  throw new FourfoldError('not-found', `${name} is neither on the PATH nor in ${cacheBin()}`, {
    hint: `npm run setup:servers${isOfKubernetes(name) ? ' -- kubernetes' : ''} installs it`,
  });
}

const isOfKubernetes = (name: string): boolean => (kubernetesPrograms as readonly string[]).includes(name);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
