import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { FourfoldError } from '@fourfold/common';

/** Programs of a Kubernetes cluster without containers, which `npm run setup:servers -- kubernetes` compiles. */
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

/** Programs that `npm run setup:servers` installs where the machine has none. */
export type ServerProgram = 'nats-server' | 'minio' | 'prometheus' | 'promtool' | (typeof kubernetesPrograms)[number];

const cache = () => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'fourfold');

/** Where `npm run setup:servers` puts programs: a cache folder outside the repository. */
const cacheBin = () => join(cache(), 'bin');

/** The definitions of custom resources that `npm run setup:servers -- kubernetes` has put into a folder of YAML files. */
export const customResourcesFolder = (): string => join(cache(), 'kubernetes-crds');

/** Path of a program on the machine's PATH, else in the cache folder; undefined where it is in neither. */
export function findProgram(name: ServerProgram): string | undefined {
  return [...pathFolders(), cacheBin()].map((folder) => join(folder, name)).find(isExecutable);
}

const pathFolders = () => (process.env['PATH'] ?? '').split(delimiter);

/** Chromium and its relatives, by the names and in the places that systems give them. */
const browsers = {
  names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge'],
  folders: ['/usr/bin', '/usr/local/bin', '/snap/bin', '/opt/google/chrome', '/usr/lib/chromium'],
  others: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ],
};

/** Path of a browser of Chromium's family on the PATH or where systems put it; undefined where there is none. */
export function findBrowser(): string | undefined {
  const folders = [...pathFolders(), ...browsers.folders];
  const paths = browsers.names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...paths, ...browsers.others].find(isExecutable);
}

/** As `findProgram`, but throws `not-found` where there is none. */
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
