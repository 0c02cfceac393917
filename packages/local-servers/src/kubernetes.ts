import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGuard, launchServer, type LocalServer } from 'fourfold/servers';
import { findProgram, kubernetesPrograms, requireProgram, type KubernetesProgram } from './find-program.js';
import { kubeconfigText, writeKubernetesFiles } from './kubernetes-files.js';
import {
  apiServerLaunch,
  certManagerLaunch,
  controllerManagerLaunch,
  dnsLaunch,
  etcdLaunch,
  jobSetLaunch,
  kueueLaunch,
  kwokLaunch,
  schedulerLaunch,
  type Launch,
} from './kubernetes-launches.js';

/**
 * A Kubernetes cluster: etcd, the API server with all its admission, the controllers and the scheduler are real. Its nodes run containers
 * (`kubernetes-node.ts`), or kwok simulates the kubelets of nodes that a test creates (`kwok/stages.yaml`).
 */
export interface LocalKubernetes {
  /** `https://127.0.0.1:PORT` of the API server. */
  url: string;
  /** A kubeconfig of a user who may do everything. */
  kubeconfig: string;
  /** For the programs of a node, in a cluster with an address. */
  nodeAccess(name: string): Promise<NodeAccess>;
  /** The file that `kubectl logs` shows for every pod's container; tests write to it. */
  podLog: string;
  /** The port of 127.0.0.1 to which every forwarded port of every pod leads; tests listen on it. */
  podPort: number;
  /** Start JobSet's controller; its custom resources must exist. It stops with the cluster. */
  startJobSet(): Promise<Webhooks>;
  /**
   * Start Kueue's controller for Jobs; its custom resources and its namespace must exist. It makes its own certificates, keeps them in a
   * Secret, and waits for `mount` to put that Secret into a folder. `gates` are feature gates to open. It stops with the cluster, if not
   * before.
   */
  startKueue(
    webhookPort: number,
    mount: (folder: string) => Promise<void>,
    gates: readonly string[],
  ): Promise<Pick<LocalServer, 'stop'>>;
  /** Start cert-manager's controllers, without its webhook; its custom resources must exist. They stop with the cluster. */
  startCertManager(): Promise<void>;
  /** Kill everything and remove the folder. */
  stop(): Promise<void>;
}

/** How the API server reaches a controller's admission webhooks: the base URL of their paths, and the authority in PEM. */
export interface Webhooks {
  url: string;
  authority: string;
}

/** Kubeconfigs, as texts: the kubelet has the rights of its node, kube-proxy its own, and what enforces NetworkPolicies all. */
export type NodeAccess = Record<'kubelet' | 'proxy' | 'policies', string>;

export interface KubernetesOptions {
  /** For nodes that run containers: an address of this machine that they reach. The API server and DNS listen there. */
  address?: string;
  /** The names of these nodes. */
  nodes?: readonly string[];
}

/** Kueue's controller rotates certificates first: it took more than a minute on two cores with eighty processes that wanted them. */
const readyMs = 300_000;

/** Whether all programs of a cluster with simulated nodes are installed. */
export const hasKubernetes = (): boolean => kubernetesPrograms.every((program) => findProgram(program) !== undefined);

/** Start a cluster without nodes. Throws `not-found` if a program is missing, `unavailable` if one does not become ready. */
// eslint-disable-next-line max-lines-per-function -- a cluster’s life, from top to bottom
export async function startKubernetes({ address, nodes = [] }: KubernetesOptions = {}): Promise<LocalKubernetes> {
  for (const program of kubernetesPrograms) requireProgram(program);
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-kubernetes-'));
  const guard = createGuard(folder);
  const started: LocalServer[] = [];
  const launch = async (program: KubernetesProgram, portCount: number, how: Launch) => {
    const server = await launchServer({
      program: requireProgram(program),
      folder: join(folder, program),
      portCount,
      prepare: async (ports, own) => ({ args: await how.args(ports, own), env: how.env ?? {} }),
      readyMs,
      readyUrl: ([port]) => `${how.scheme ?? 'https'}://127.0.0.1:${port}${how.readyPath}`,
    });
    started.push(server);
    return server;
  };
  const stop = async () => {
    // The API server's clients first, so that they do not wait for it.
    for (const server of started.splice(0).reverse()) await server.stop();
    await guard.close();
  };
  try {
    const files = await writeKubernetesFiles(folder, address, nodes);
    const etcd = await launch('etcd', 2, etcdLaunch);
    const apiServer = await launch('kube-apiserver', 1, apiServerLaunch(files, etcd.ports[0], address));
    const url = `https://127.0.0.1:${apiServer.ports[0]}`;
    await writeFile(
      files.kubeconfig,
      kubeconfigText(url, { 'certificate-authority': files.authority }, files.tokens['admin']),
      { mode: 0o600 },
    );
    await Promise.all([
      launch('kube-controller-manager', 1, controllerManagerLaunch(files, address !== undefined)),
      launch('kube-scheduler', 1, schedulerLaunch(files)),
      address === undefined ? launch('kwok', 1, kwokLaunch(files)) : launch('coredns', 1, dnsLaunch(files, address)),
    ]);
    return {
      url,
      kubeconfig: files.kubeconfig,
      async nodeAccess(name) {
        // A node has files of its own.
        const authority = { 'certificate-authority-data': await readFile(files.authority, 'base64') };
        const server = `https://${address}:${apiServer.ports[0]}`;
        const text = (user: string) => kubeconfigText(server, authority, files.tokens[user]);
        return { kubelet: text(`system:node:${name}`), proxy: text('system:kube-proxy'), policies: text('admin') };
      },
      podLog: files.podLog,
      podPort: files.podPort,
      async startJobSet() {
        const { ports } = await launch('jobset-controller', 2, jobSetLaunch(files));
        return { url: `https://127.0.0.1:${ports[1]}`, authority: await readFile(files.authority, 'utf8') };
      },
      async startKueue(webhookPort, mount, gates) {
        const certificates = join(folder, 'kueue-certificates');
        await mkdir(certificates, { recursive: true });
        const [server] = await Promise.all([
          launch('kueue-controller', 1, kueueLaunch(files, webhookPort, certificates, gates)),
          mount(certificates),
        ]);
        return server;
      },
      async startCertManager() {
        await launch('cert-manager', 1, certManagerLaunch(files));
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
