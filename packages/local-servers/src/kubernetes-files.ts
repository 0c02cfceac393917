import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCertificates } from '@fourfold/rpc/certificates';
import { freePorts } from 'fourfold/servers';

const stages = fileURLToPath(new URL('../kwok/stages.yaml', import.meta.url));

/** Keys, tokens and configurations of a cluster’s programs: paths, unless it is said otherwise. */
export interface KubernetesFiles {
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

/** Write a cluster’s files into a folder; `address` is where nodes reach it, and `nodes` get tokens of their own. */
export async function writeKubernetesFiles(
  folder: string,
  address: string | undefined,
  nodes: readonly string[],
): Promise<KubernetesFiles> {
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

/** A kubeconfig, in JSON, which is YAML, too. */
export const kubeconfigText = (server: string, authority: object, token: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster: { server, ...authority } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'admin' } }],
    'current-context': 'local',
  });
