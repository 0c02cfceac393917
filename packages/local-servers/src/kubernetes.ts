import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCertificates } from '@fourfold/rpc/certificates';
import { createGuard, freePorts, launchServer, type LocalServer } from 'fourfold/servers';
import { findProgram, kubernetesPrograms, requireProgram } from './find-program.js';

/**
 * A Kubernetes cluster without containers: etcd, the API server with all its admission, the controllers and the scheduler are real, and
 * kwok simulates the kubelets of nodes that a test creates (`kwok/stages.yaml`).
 */
export interface LocalKubernetes {
  /** `https://127.0.0.1:PORT` of the API server. */
  url: string;
  /** A kubeconfig of a user who may do everything. */
  kubeconfig: string;
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

const stages = fileURLToPath(new URL('../kwok/stages.yaml', import.meta.url));

/** Whether all programs of a cluster are installed. */
export const hasKubernetes = (): boolean => kubernetesPrograms.every((program) => findProgram(program) !== undefined);

/** Start a cluster without nodes. Throws `not-found` if a program is missing, `unavailable` if one does not become ready. */
export async function startKubernetes(): Promise<LocalKubernetes> {
  for (const program of kubernetesPrograms) requireProgram(program);
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-kubernetes-'));
  const guard = createGuard(folder);
  const started: LocalServer[] = [];
  const launch = async (program: (typeof kubernetesPrograms)[number], portCount: number, how: Launch) => {
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
    const files = await writeKeys(folder);
    const etcd = await launch('etcd', 2, etcdLaunch);
    const apiServer = await launch('kube-apiserver', 1, apiServerLaunch(files, etcd.ports[0]));
    const url = `https://127.0.0.1:${apiServer.ports[0]}`;
    await writeFile(files.kubeconfig, kubeconfigText(url, files), { mode: 0o600 });
    await Promise.all([
      launch('kube-controller-manager', 1, controllerManagerLaunch(files)),
      launch('kube-scheduler', 1, schedulerLaunch(files)),
      launch('kwok', 1, kwokLaunch(files)),
    ]);
    return {
      url,
      kubeconfig: files.kubeconfig,
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
  tokens: string;
  token: string;
  podLog: string;
  podPort: number;
  kwokConfig: string;
}

async function writeKeys(folder: string): Promise<Files> {
  // Any certificate for 127.0.0.1 will do.
  const { authority, certificates } = await makeCertificates(join(folder, 'tls'), { days: 2, hosts: ['127.0.0.1'] });
  const token = randomBytes(16).toString('hex');
  const [podPort] = await freePorts(1);
  const files = {
    kubeconfig: join(folder, 'kubeconfig'),
    authority: authority.certificate,
    ...certificates['nats'],
    serviceAccountKey: join(folder, 'service-accounts.pem'),
    tokens: join(folder, 'tokens.csv'),
    token,
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
    writeFile(files.tokens, `${token},admin,admin,system:masters\n`, { mode: 0o600 }),
    writeFile(files.podLog, ''),
    writeFile(files.kwokConfig, `${await readFile(stages, 'utf8')}---${containers}`),
  ]);
  return files;
}

// JSON is YAML, too.
const kubeconfigText = (server: string, { authority, token }: Files): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster: { server, 'certificate-authority': authority } }],
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

const apiServerLaunch = (files: Files, etcdPort: number): Launch => ({
  readyPath: '/readyz',
  args: ([port]) => [
    ...[`--etcd-servers=http://127.0.0.1:${etcdPort}`, '--endpoint-reconciler-type=none'],
    ...['--bind-address=127.0.0.1', `--secure-port=${port}`, '--service-cluster-ip-range=10.96.0.0/16'],
    ...[`--tls-cert-file=${files.certificate}`, `--tls-private-key-file=${files.key}`],
    ...[`--token-auth-file=${files.tokens}`, '--authorization-mode=RBAC'],
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
    ...[`--kubeconfig=${files.kubeconfig}`, '--leader-elect=false'],
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
