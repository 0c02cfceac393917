import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CoreV1Api, KubeConfig, KubernetesObjectApi, type KubernetesObject, type V1Pod } from '@kubernetes/client-node';
import {
  customResourcesFolder,
  requireProgram,
  startKubernetes,
  type KubernetesOptions,
} from '@fourfold/local-servers';
import { parseAllDocuments } from 'yaml';
import { startFourfold } from './process.js';

export const deployFolder = fileURLToPath(new URL('../../deploy/k8s/', import.meta.url));

/** The objects that Kustomize builds from a folder in deploy/k8s, or in a copy of it. */
export async function kustomize(path: string, folder = deployFolder): Promise<KubernetesObject[]> {
  const { stdout } = await promisify(execFile)(requireProgram('kustomize'), ['build', join(folder, path)], {
    maxBuffer: 16 * 2 ** 20,
  });
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
}

/** Objects of `deploy/k8s`, moved from their namespace into another. */
export const inNamespace = (objects: readonly KubernetesObject[], namespace: string): KubernetesObject[] =>
  JSON.parse(
    JSON.stringify(objects)
      .replaceAll('"namespace":"fourfold"', `"namespace":"${namespace}"`)
      .replaceAll(/("kind":"Namespace","metadata":{[^}]*},"name":)"fourfold"/g, `$1"${namespace}"`),
  ) as KubernetesObject[];

/** A real API server, and what tests do with it. */
export type TestKubernetes = Awaited<ReturnType<typeof startTestKubernetes>>;

export async function startTestKubernetes(options: KubernetesOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-kubernetes-test-'));
  const cluster = await startKubernetes(options);
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(cluster.kubeconfig);
  const core = kubeConfig.makeApiClient(CoreV1Api);
  const objectApi = KubernetesObjectApi.makeApiClient(kubeConfig);
  const caFile = kubeConfig.getCurrentCluster()?.caFile as string;
  const server = {
    url: cluster.url,
    authority: await readFile(caFile, 'utf8'),
    token: kubeConfig.getCurrentUser()?.token as string,
  };
  const apply = (object: KubernetesObject, dryRun = false) => send(server, 'PATCH', object, dryRun);
  return {
    ...cluster,
    core,
    /** Server-side apply; rejects with the API server's message. */
    apply,
    /** Delete an object, and what it owns. */
    remove: (object: KubernetesObject) => send(server, 'DELETE', object),
    /** A node simulated by kwok, with `gpus` GPUs. */
    async addNode(name: string, gpus: number): Promise<void> {
      const capacity = { cpu: '64', memory: '512Gi', pods: '110', ...(gpus > 0 && { 'nvidia.com/gpu': `${gpus}` }) };
      await core.createNode({ body: { metadata: { name }, status: { capacity, allocatable: capacity } } });
    },
    /** Cordon a node, or uncordon it. */
    async closeNode(name: string, closed: boolean): Promise<void> {
      const node = await core.readNode({ name });
      await core.replaceNode({ name, body: { ...node, spec: { ...node.spec, unschedulable: closed } } });
    },
    /** Evict a pod, as draining its node does; rejects if a disruption budget refuses it. */
    async evict({ metadata }: V1Pod): Promise<void> {
      const { name, namespace } = metadata as { name: string; namespace: string };
      await core.createNamespacedPodEviction({ name, namespace, body: { metadata: { name, namespace } } });
    },
    /** A namespace that enforces the `restricted` pod security level, prepared for runs in plain text. */
    async addNamespace(name: string): Promise<void> {
      const enforced = { 'pod-security.kubernetes.io/enforce': 'restricted' };
      await core.createNamespace({ body: { metadata: { name, labels: enforced } } });
      await core.createNamespacedServiceAccount({ namespace: name, body: { metadata: { name: 'fourfold-run' } } });
      const environment = { metadata: { name: 'fourfold-environment' }, data: { FOURFOLD_INSECURE: '1' } };
      await core.createNamespacedConfigMap({ namespace: name, body: environment });
    },
    /**
     * Define the custom resources that the overlays use; `pattern` selects their files, `change` is applied to each.
     */
    async defineResources(pattern: RegExp, change = (object: KubernetesObject) => object): Promise<void> {
      const names = (await readdir(customResourcesFolder())).filter((name) => pattern.test(name));
      const texts = names.map((name) => readFile(join(customResourcesFolder(), name), 'utf8'));
      const documents = (await Promise.all(texts)).flatMap((text) => parseAllDocuments(text));
      const objects = documents.map((document) => document.toJS() as KubernetesObject | null);
      await Promise.all(objects.flatMap((object) => (object ? [apply(change(object))] : [])));
    },
    /** Pods of a part of a run that are not terminating. */
    async podsOf(namespace: string, run: string, role: string): Promise<V1Pod[]> {
      const labelSelector = `app.kubernetes.io/instance=${run},app.kubernetes.io/component=${role}`;
      const { items } = await core.listNamespacedPod({ namespace, labelSelector });
      return items.filter(({ metadata }) => !metadata?.deletionTimestamp);
    },
    /** Names of a run's objects of some kinds. */
    async objectsOf(namespace: string, run: string, kinds: readonly string[]): Promise<string[]> {
      const labelSelector = `app.kubernetes.io/instance=${run}`;
      const lists = [...new Set(kinds)].map(async (kind) => {
        const apiVersion = { Job: 'batch/v1', PodDisruptionBudget: 'policy/v1' }[kind] ?? 'v1';
        const selected = [undefined, undefined, undefined, undefined, labelSelector] as const;
        const { items } = await objectApi.list(apiVersion, kind, namespace, ...selected);
        return items.map(({ metadata }) => `${kind} ${metadata?.name}`);
      });
      return (await Promise.all(lists)).flat();
    },
    /** Report that a pod's process has ended, as a kubelet would. */
    async endPod(pod: V1Pod, exitCode: number): Promise<void> {
      const [{ name: container, image = '' }] = pod.spec?.containers ?? [];
      const { name, namespace } = pod.metadata as { name: string; namespace: string };
      const status = {
        phase: exitCode === 0 ? 'Succeeded' : 'Failed',
        containerStatuses: [
          {
            ...{ name: container, image, imageID: '', ready: false, restartCount: 0 },
            state: { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' } },
          },
        ],
      };
      await core.replaceNamespacedPodStatus({
        ...{ name, namespace },
        body: { ...(await core.readNamespacedPod({ name, namespace })), status: { ...pod.status, ...status } },
      });
    },
    /** Write a file; returns its path. */
    writeFile: (name: string, text: string) => writeText(join(folder, name), text),
    /** Write a config for a cluster; returns its path. `file` is the file's name. */
    async writeConfig(name: string, more = '', file = name): Promise<string> {
      const places = 'dataset: s3://fourfold/dataset\nstore: s3://fourfold/store\nbatches: { from: nats }\n';
      return writeText(join(folder, `${file}.yaml`), `recipe: demo\nname: ${name}\n${places}${more}`);
    },
    /** Run `fourfold ARGS` with this cluster's kubeconfig. */
    fourfold: (...args: string[]) => runFourfold(cluster.kubeconfig, args),
    /** Start `fourfold logs --follow ARGS`. */
    follow: (...args: string[]) => startFourfold(['logs', '--follow', ...args], [], { KUBECONFIG: cluster.kubeconfig }),
    /** Returns a function that runs `fourfold ARGS` as a service account, in its namespace. */
    async fourfoldAs(namespace: string, name: string) {
      const body = { spec: { audiences: [], expirationSeconds: 3600 } };
      const { status } = await core.createNamespacedServiceAccountToken({ name, namespace, body });
      const path = join(folder, `${name}.kubeconfig`);
      const theirs = new KubeConfig();
      theirs.loadFromOptions({
        clusters: kubeConfig.getClusters(),
        users: [{ name, token: status?.token }],
        contexts: [{ name, user: name, cluster: kubeConfig.getCurrentCluster()?.name, namespace }],
        currentContext: name,
      });
      await writeFile(path, theirs.exportConfig());
      return (...args: string[]) => runFourfold(path, args);
    },
    async stop(): Promise<void> {
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeText(path: string, text: string): Promise<string> {
  await writeFile(path, text);
  return path;
}

async function runFourfold(kubeconfig: string, args: string[]) {
  const { exit, output, errors } = startFourfold(args, [], { KUBECONFIG: kubeconfig });
  const { code } = await exit;
  return { code, stdout: output(), stderr: errors.join('\n') };
}

interface Server {
  url: string;
  authority: string;
  token: string;
}

/** As kubectl does: the client's own serializer omits unknown fields, such as `x-kubernetes-list-type`. */
async function send(
  { url, authority, token }: Server,
  method: 'PATCH' | 'DELETE',
  object: KubernetesObject,
  dryRun = false,
): Promise<unknown> {
  const { apiVersion = '', kind = '', metadata } = object;
  const plural = `${kind.toLowerCase()}s`.replace(/ys$/, 'ies');
  const place = metadata?.namespace ? `namespaces/${metadata.namespace}/` : '';
  const group = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`;
  const applied = `fieldManager=test&force=true${dryRun ? '&dryRun=All' : ''}`;
  const query = method === 'PATCH' ? applied : 'propagationPolicy=Background';
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/apply-patch+yaml' };
  const request = https.request(`${url}/${group}/${place}${plural}/${metadata?.name}?${query}`, {
    ...{ method, ca: authority, headers: method === 'PATCH' ? headers : { authorization: headers.authorization } },
  });
  request.end(method === 'PATCH' ? JSON.stringify(object) : undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const answer: unknown = await json(response).catch(() => ({ message: `${response.statusCode}` }));
  if ((response.statusCode ?? 500) >= 300) throw new Error(`${kind} ${metadata?.name}: ${(answer as Error).message}`);
  return answer;
}

let shared: Promise<TestKubernetes> | undefined;

/** The cluster of all tests of this process: two nodes with four GPUs, one with none. The first call starts it. */
export const gpuCluster = (): Promise<TestKubernetes> => (shared ??= startGpuCluster());

async function startGpuCluster(): Promise<TestKubernetes> {
  const kubernetes = await startTestKubernetes();
  await Promise.all([kubernetes.addNode('gpus-1', 4), kubernetes.addNode('gpus-2', 4), kubernetes.addNode('plain', 0)]);
  return kubernetes;
}

export const isRunning = ({ status }: V1Pod): boolean => status?.phase === 'Running';

/** The secret `fourfold-access` of the guide. */
export const accessSecret = {
  // As `openssl rand -hex 16` may make one: without quotes nats-server would take it for a number, and refuse to start.
  'nats-password': '12e5ab0c34e1f05a7700d2b9c6e8a1f3',
  'join-token': 'a-token-with-which-to-join',
  's3-access-key': 'fourfold',
  's3-secret-key': 'a-secret-for-minio',
};
