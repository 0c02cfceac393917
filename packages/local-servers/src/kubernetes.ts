import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCertificates } from '@fourfold/rpc/certificates';
import { createGuard, freePorts, launchServer, type LocalServer } from 'fourfold/servers';
import { findProgram, kubernetesPrograms, requireProgram, type KubernetesProgram } from './find-program.js';

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
  /** Kill everything and remove the folder. */
  stop(): Promise<void>;
}

/** How the API server reaches a controller's admission webhooks: the base URL of their paths, and the authority in PEM. */
export interface Webhooks {
  url: string;
  authority: string;
}

/** Kubeconfigs, as texts: the kubelet has the rights of its node, kube-proxy its own. */
export type NodeAccess = Record<'kubelet' | 'proxy', string>;

export interface KubernetesOptions {
  /** For nodes that run containers: an address of this machine that they reach. The API server and DNS listen there. */
  address?: string;
  /** The names of these nodes. */
  nodes?: readonly string[];
}

const stages = fileURLToPath(new URL('../kwok/stages.yaml', import.meta.url));

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
    const files = await writeKeys(folder, address, nodes);
    const etcd = await launch('etcd', 2, etcdLaunch);
    const apiServer = await launch('kube-apiserver', 1, apiServerLaunch(files, etcd.ports[0], address));
    const url = `https://127.0.0.1:${apiServer.ports[0]}`;
    await writeFile(
      files.kubeconfig,
      kubeconfigText(url, { 'certificate-authority': files.authority }, files.tokens['admin']),
      { mode: 0o600 },
    );
    await Promise.all([
      launch('kube-controller-manager', 1, controllerManagerLaunch(files)),
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
        return { kubelet: text(`system:node:${name}`), proxy: text('system:kube-proxy') };
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
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Launch {
  args: (ports: number[], folder: string) => string[] | Promise<string[]>;
  env?: Record<string, string>;
  scheme?: 'http';
  readyPath: string;
}

interface Files {
  kubeconfig: string;
  authority: string;
  certificate: string;
  key: string;
  serviceAccountKey: string;
  tokenFile: string;
  /** By user. */
  tokens: Record<string, string>;
  podLog: string;
  podPort: number;
  kwokConfig: string;
}

async function writeKeys(folder: string, address: string | undefined, nodes: readonly string[]): Promise<Files> {
  // Any certificate for these hosts will do.
  const hosts = ['127.0.0.1', ...(address === undefined ? [] : [address])];
  const { authority, certificates } = await makeCertificates(join(folder, 'tls'), { days: 2, hosts });
  const groups = {
    admin: 'system:masters',
    'system:kube-proxy': '',
    ...Object.fromEntries(nodes.map((name) => [`system:node:${name}`, 'system:nodes'])),
  };
  const users = Object.entries(groups).map(([user, group]) => ({
    user,
    group,
    token: randomBytes(16).toString('hex'),
  }));
  const [podPort] = await freePorts(1);
  const files = {
    kubeconfig: join(folder, 'kubeconfig'),
    authority: authority.certificate,
    ...certificates['nats'],
    serviceAccountKey: join(folder, 'service-accounts.pem'),
    tokenFile: join(folder, 'tokens.csv'),
    tokens: Object.fromEntries(users.map(({ user, token }) => [user, token])),
    podLog: join(folder, 'pod.log'),
    podPort,
    kwokConfig: join(folder, 'kwok.yaml'),
  };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'sec1', format: 'pem' });
  const containers = `
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata: { name: logs }
spec: { logs: [{ logsFile: ${files.podLog}, follow: true }] }
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterPortForward
metadata: { name: ports }
spec: { forwards: [{ target: { address: 127.0.0.1, port: ${podPort} } }] }
`;
  await mkdir(folder, { recursive: true });
  await Promise.all([
    writeFile(files.serviceAccountKey, pem, { mode: 0o600 }),
    writeFile(files.tokenFile, users.map(tokenLine).join(''), { mode: 0o600 }),
    writeFile(files.podLog, ''),
    writeFile(files.kwokConfig, `${await readFile(stages, 'utf8')}---${containers}`),
  ]);
  return files;
}

const tokenLine = ({ user, group, token }: Record<'user' | 'group' | 'token', string>): string =>
  `${[token, user, user, ...(group ? [group] : [])].join()}\n`;

// JSON is YAML, too.
const kubeconfigText = (server: string, authority: object, token: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster: { server, ...authority } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'admin' } }],
    'current-context': 'local',
  });

const etcdLaunch: Launch = {
  scheme: 'http',
  readyPath: '/health',
  args: ([port, peerPort], folder) => [
    '--data-dir',
    join(folder, 'data'),
    ...['--listen-client-urls', `http://127.0.0.1:${port}`, '--advertise-client-urls', `http://127.0.0.1:${port}`],
    ...['--listen-peer-urls', `http://127.0.0.1:${peerPort}`],
    ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peerPort}`],
    ...['--initial-cluster', `default=http://127.0.0.1:${peerPort}`],
    '--unsafe-no-fsync',
  ],
};

const apiServerLaunch = (files: Files, etcdPort: number, address?: string): Launch => ({
  readyPath: '/readyz',
  args: ([port]) => [
    ...[`--etcd-servers=http://127.0.0.1:${etcdPort}`, '--service-cluster-ip-range=10.96.0.0/16'],
    ...(address === undefined
      ? ['--bind-address=127.0.0.1', '--endpoint-reconciler-type=none', '--authorization-mode=RBAC']
      : ['--bind-address=0.0.0.0', `--advertise-address=${address}`, '--authorization-mode=Node,RBAC']),
    ...[`--secure-port=${port}`, '--kubelet-preferred-address-types=InternalIP'],
    ...[`--tls-cert-file=${files.certificate}`, `--tls-private-key-file=${files.key}`],
    ...[`--token-auth-file=${files.tokenFile}`, '--enable-admission-plugins=NodeRestriction'],
    ...['--service-account-issuer=https://kubernetes.default.svc'],
    ...[`--service-account-key-file=${files.serviceAccountKey}`],
    ...[`--service-account-signing-key-file=${files.serviceAccountKey}`],
  ],
});

const served = ({ certificate, key }: Files, port: number): string[] => [
  ...['--bind-address=127.0.0.1', `--secure-port=${port}`],
  ...[`--tls-cert-file=${certificate}`, `--tls-private-key-file=${key}`],
];

const controllerManagerLaunch = (files: Files): Launch => ({
  readyPath: '/healthz',
  args: ([port]) => [
    ...served(files, port),
    ...[`--kubeconfig=${files.kubeconfig}`, '--leader-elect=false', '--node-monitor-grace-period=20s'],
    ...[`--service-account-private-key-file=${files.serviceAccountKey}`, `--root-ca-file=${files.authority}`],
  ],
});

const schedulerLaunch = (files: Files): Launch => ({
  readyPath: '/healthz',
  args: ([port]) => [...served(files, port), `--kubeconfig=${files.kubeconfig}`, '--leader-elect=false'],
});

const kwokLaunch = (files: Files): Launch => ({
  scheme: 'http',
  readyPath: '/healthz',
  args: ([port]) => [
    ...[`--kubeconfig=${files.kubeconfig}`, `--config=${files.kwokConfig}`, '--manage-all-nodes=true'],
    // The API server asks the nodes' kubelets for logs: kwok is all of them.
    ...['--node-ip=127.0.0.1', `--node-port=${port}`, `--server-address=127.0.0.1:${port}`],
    ...[`--tls-cert-file=${files.certificate}`, `--tls-private-key-file=${files.key}`],
    '--node-lease-duration-seconds=40',
  ],
});

const dnsLaunch = (files: Files, address: string): Launch => ({
  scheme: 'http',
  readyPath: '/ready',
  async args([port], folder) {
    const config = join(folder, 'Corefile');
    const zones = `kubernetes cluster.local in-addr.arpa {\n    kubeconfig ${files.kubeconfig}\n  }`;
    await writeFile(config, `.:53 {\n  bind ${address}\n  errors\n  ready 127.0.0.1:${port}\n  ${zones}\n}\n`);
    return ['-conf', config];
  },
});

const jobSetLaunch = (files: Files): Launch => ({
  scheme: 'http',
  readyPath: '/readyz',
  async args([port, webhookPort], folder) {
    await Promise.all([
      copyFile(files.certificate, join(folder, 'tls.crt')),
      copyFile(files.key, join(folder, 'tls.key')),
    ]);
    const config = join(folder, 'config.json');
    const settings = {
      apiVersion: 'config.jobset.x-k8s.io/v1alpha1',
      kind: 'Configuration',
      internalCertManagement: { enable: false },
      leaderElection: { leaderElect: false },
      webhook: { host: '127.0.0.1', port: webhookPort, certDir: folder },
      metrics: { bindAddress: '0' },
      health: { healthProbeBindAddress: `127.0.0.1:${port}` },
    };
    await writeFile(config, JSON.stringify(settings));
    return [`--kubeconfig=${files.kubeconfig}`, `--config=${config}`];
  },
});

const kueueLaunch = (files: Files, webhookPort: number, certificates: string, gates: readonly string[]): Launch => ({
  scheme: 'http',
  readyPath: '/readyz',
  async args([port], folder) {
    const config = join(folder, 'config.json');
    const settings = {
      apiVersion: 'config.kueue.x-k8s.io/v1beta2',
      kind: 'Configuration',
      leaderElection: { leaderElect: false },
      webhook: { host: '127.0.0.1', port: webhookPort, certDir: certificates },
      metrics: { bindAddress: '0' },
      health: { healthProbeBindAddress: `127.0.0.1:${port}` },
      integrations: { frameworks: ['batch/job'] },
    };
    await writeFile(config, JSON.stringify(settings));
    // Kueue's own API, for which it would need another certificate.
    const featureGates = ['VisibilityOnDemand=false', ...gates.map((gate) => `${gate}=true`)].join();
    return [`--kubeconfig=${files.kubeconfig}`, `--config=${config}`, `--feature-gates=${featureGates}`];
  },
});
