import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubernetesFiles } from './kubernetes-files.js';

/** How a program of a cluster is started, and the path that says that it is ready. */
export interface Launch {
  args: (ports: number[], folder: string) => string[] | Promise<string[]>;
  env?: Record<string, string>;
  scheme?: 'http';
  readyPath: string;
}

export const etcdLaunch: Launch = {
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

export const apiServerLaunch = (files: KubernetesFiles, etcdPort: number, address?: string): Launch => ({
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

const served = ({ certificate, key }: KubernetesFiles, port: number): string[] => [
  ...['--bind-address=127.0.0.1', `--secure-port=${port}`],
  ...[`--tls-cert-file=${certificate}`, `--tls-private-key-file=${key}`],
];

/** `isReal`: a node that is switched off is noticed sooner. kwok’s many nodes say seldom that they are there. */
export const controllerManagerLaunch = (files: KubernetesFiles, isReal: boolean): Launch => ({
  readyPath: '/healthz',
  args: ([port]) => [
    ...served(files, port),
    ...[`--kubeconfig=${files.kubeconfig}`, '--leader-elect=false', '--node-monitor-period=2s'],
    `--node-monitor-grace-period=${isReal ? 12 : 20}s`,
    ...[`--service-account-private-key-file=${files.serviceAccountKey}`, `--root-ca-file=${files.authority}`],
  ],
});

export const schedulerLaunch = (files: KubernetesFiles): Launch => ({
  readyPath: '/healthz',
  args: ([port]) => [...served(files, port), `--kubeconfig=${files.kubeconfig}`, '--leader-elect=false'],
});

export const kwokLaunch = (files: KubernetesFiles): Launch => ({
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

export const dnsLaunch = (files: KubernetesFiles, address: string): Launch => ({
  scheme: 'http',
  readyPath: '/ready',
  async args([port], folder) {
    const config = join(folder, 'Corefile');
    const zones = `kubernetes cluster.local in-addr.arpa {\n    kubeconfig ${files.kubeconfig}\n  }`;
    await writeFile(config, `.:53 {\n  bind ${address}\n  errors\n  ready 127.0.0.1:${port}\n  ${zones}\n}\n`);
    return ['-conf', config];
  },
});

export const jobSetLaunch = (files: KubernetesFiles): Launch => ({
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

export const certManagerLaunch = (files: KubernetesFiles): Launch => ({
  scheme: 'http',
  readyPath: '/',
  args: ([port]) => [files.kubeconfig, `127.0.0.1:${port}`],
});

export const kueueLaunch = (
  files: KubernetesFiles,
  webhookPort: number,
  certificates: string,
  gates: readonly string[],
): Launch => ({
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
