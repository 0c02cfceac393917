import type {
  ApiException as ApiFailure,
  CoreV1Api as Core,
  CoreV1Event,
  KubeConfig as Config,
  KubernetesObject,
  PatchStrategy as Strategy,
  V1ConfigMap,
  V1Job,
  V1Node,
  V1Pod,
} from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
import { ApiException, BatchV1Api, CoreV1Api, KubeConfig, KubernetesObjectApi, PatchStrategy } from './client.js';
import { noCluster } from './known-cluster.js';
import { gpusOf, selectorOf } from './labels.js';
import { namesOf, type Manifest } from './manifests.js';
import { createGetFromPod, type GetFromPod } from './pod-http.js';
import { createOpenPodLog, type OpenPodLog } from './pod-log.js';
import type { RunObjects } from './problems.js';
import { environmentName } from './traffic.js';

/** A cluster's API server, and the namespace that a command is about. */
export interface ClusterApi {
  namespace: string;
  /** What a command needs to name the same namespace and cluster: ` -n team --context prod`, or nothing. */
  placeFlags: string;
  /** Server-side apply; with `dryRun` the server checks everything and changes nothing. Resolves with the resulting object. */
  apply(manifest: Manifest, dryRun?: boolean): Promise<KubernetesObject>;
  /** Create an object; false if one of its name exists. */
  create(manifest: Manifest): Promise<boolean>;
  /** Merge a change into an object. */
  change(manifest: Manifest): Promise<void>;
  /** Remove an object and what it owns; a missing one is not an error. */
  remove(manifest: KubernetesObject): Promise<void>;
  /** The ConfigMap that every run has; undefined if there is none. */
  config(run: string): Promise<V1ConfigMap | undefined>;
  /** The environment of every pod. Throws `not-found` in a namespace that is not prepared. */
  environment(): Promise<Record<string, string>>;
  /** All nodes; undefined without permission to list them. */
  nodes(): Promise<V1Node[] | undefined>;
  /** Jobs and pods of one run, or of all. */
  jobs(run?: string): Promise<V1Job[]>;
  pods(run?: string): Promise<V1Pod[]>;
  /** All of a run, with its events. */
  objects(run: string): Promise<RunObjects>;
  openLog: OpenPodLog;
  getFromPod: GetFromPod;
}

const fieldManager = 'fourfold';

/**
 * The cluster of the user's kubeconfig, or of the pod's service account. Throws `invalid` if there is neither, or if the
 * context does not exist.
 */
// eslint-disable-next-line max-lines-per-function -- the short methods of one client
export function connectToCluster({ namespace, context }: { namespace?: string; context?: string }): ClusterApi {
  const kubeConfig = loadKubeConfig(context);
  const core = kubeConfig.makeApiClient(CoreV1Api);
  const batch = kubeConfig.makeApiClient(BatchV1Api);
  const objectApi = KubernetesObjectApi.makeApiClient(kubeConfig);
  const openLog = createOpenPodLog(kubeConfig);
  const own = namespace ?? kubeConfig.getContextObject(kubeConfig.getCurrentContext())?.namespace ?? 'default';
  const { server } = kubeConfig.getCurrentCluster() ?? { server: 'the cluster' };
  const ask = <T>(what: string, request: () => Promise<T>): Promise<T> =>
    request().catch((error: unknown) => {
      throw apiError(error, what, server);
    });
  const patch = (manifest: Manifest, strategy: Strategy, dryRun?: boolean) =>
    ask(nameOf(manifest), () =>
      objectApi.patch(
        manifest,
        undefined,
        dryRun ? 'All' : undefined,
        fieldManager,
        // Apply takes over the fields that we state, even if somebody has changed them since. A merge has no such option.
        strategy === PatchStrategy.ServerSideApply ? true : undefined,
        strategy,
      ),
    );
  const inNamespace = (run?: string) => ({ namespace: own, labelSelector: selectorOf(run) });
  const jobs = (run?: string) => ask('its jobs', async () => (await batch.listNamespacedJob(inNamespace(run))).items);
  const pods = (run?: string) => ask('its pods', async () => (await core.listNamespacedPod(inNamespace(run))).items);
  const nodes = () => ask('its nodes', () => listNodes(core));
  const events = () =>
    ask('its events', async (): Promise<CoreV1Event[]> => (await core.listNamespacedEvent({ namespace: own })).items);
  return {
    namespace: own,
    placeFlags: [namespace && ` -n ${namespace}`, context && ` --context ${context}`].filter(Boolean).join(''),
    openLog: (pod, options, signal) => ask(`the log of pod ${pod.metadata?.name}`, () => openLog(pod, options, signal)),
    getFromPod: createGetFromPod(kubeConfig),
    apply: (manifest, dryRun) => patch(manifest, PatchStrategy.ServerSideApply, dryRun),
    create: (manifest) =>
      ask(nameOf(manifest), () =>
        objectApi.create(manifest, undefined, undefined, fieldManager).then(
          () => true,
          (error: unknown) => {
            if (error instanceof ApiException && error.code === 409) return false;
            throw error;
          },
        ),
      ),
    change: async (manifest) => void (await patch(manifest, PatchStrategy.MergePatch)),
    async remove(manifest) {
      await ask(nameOf(manifest), async () => {
        await objectApi
          .delete(manifest, undefined, undefined, undefined, undefined, 'Background')
          .catch(ignoreMissing(undefined));
      });
    },
    config: (run) =>
      ask(`the run ${run}`, () =>
        core.readNamespacedConfigMap({ namespace: own, name: namesOf(run).config }).catch(ignoreMissing(undefined)),
      ),
    async environment() {
      const found = await ask(`namespace ${own}`, () =>
        core.readNamespacedConfigMap({ namespace: own, name: environmentName }).catch(ignoreMissing(undefined)),
      );
      if (!found) throw notPrepared(own);
      return found.data ?? {};
    },
    nodes,
    jobs,
    pods,
    async objects(run) {
      const [ofJobs, ofPods, all, ofCluster] = await Promise.all([jobs(run), pods(run), events(), nodes()]);
      const uids = new Set([...ofJobs, ...ofPods].map(({ metadata }) => metadata?.uid));
      const own = all.filter(({ involvedObject }) => uids.has(involvedObject.uid));
      return { jobs: ofJobs, pods: ofPods, events: own, clusterGpus: ofCluster && countGpus(ofCluster) };
    },
  };
}

function loadKubeConfig(context: string | undefined): Config {
  const kubeConfig = new KubeConfig();
  try {
    kubeConfig.loadFromDefault();
  } catch (cause) {
    throw new FourfoldError('invalid', 'the kubeconfig cannot be read', { cause, hint: 'check KUBECONFIG' });
  }
  // The client's own default if it finds nothing.
  if (
    kubeConfig.getCurrentContext() === 'loaded-context' &&
    kubeConfig.getCurrentCluster()?.server === 'http://localhost:8080'
  ) {
    throw noCluster();
  }
  if (context !== undefined) {
    if (!kubeConfig.getContextObject(context)) {
      const known = kubeConfig.getContexts().map(({ name }) => name);
      throw new FourfoldError('invalid', `the kubeconfig has no context ${context}`, {
        hint: `it has ${known.join(', ') || 'none'}`,
      });
    }
    kubeConfig.setCurrentContext(context);
  }
  return kubeConfig;
}

async function listNodes(core: Core): Promise<V1Node[] | undefined> {
  try {
    return (await core.listNode()).items;
  } catch (error) {
    if (error instanceof ApiException && error.code === 403) return undefined;
    throw error;
  }
}

const countGpus = (nodes: readonly V1Node[]): number => nodes.reduce((sum, node) => sum + gpusOf(node), 0);

const notPrepared = (namespace: string): FourfoldError =>
  new FourfoldError(
    'not-found',
    `namespace ${namespace} is not prepared for runs: it has no ConfigMap ${environmentName}`,
    {
      hint: 'see docs/kubernetes.md, step 1, or name another one with --namespace',
    },
  );

const nameOf = ({ kind, metadata }: KubernetesObject): string => `${kind} ${metadata?.name}`;

const ignoreMissing =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (error instanceof ApiException && error.code === 404) return instead;
    throw error;
  };

/** The API server's answer, on one line. */
function apiError(error: unknown, what: string, server: string): unknown {
  if (error instanceof ApiException) {
    const { message } = bodyOf(error);
    const fixed = fixedField(message);
    if (fixed !== undefined) {
      return new FourfoldError('conflict', `${what} exists, and Kubernetes does not change its ${fixed}`, {
        hint: '`fourfold cancel` it and submit it again; a run resumes from its newest checkpoint',
      });
    }
    const code =
      error.code === 404 ? 'not-found' : error.code === 409 ? 'conflict' : error.code < 500 ? 'invalid' : 'unavailable';
    return new FourfoldError(code, `${what}: ${message ?? `the API server answered ${error.code}`}`);
  }
  if (error instanceof Error && 'code' in error) {
    const hint = 'check the kubeconfig and the network';
    return new FourfoldError('unavailable', `${server} cannot be reached`, { cause: error, hint });
  }
  return error;
}

/** The field that cannot be changed, in an answer that repeats all of its value. */
const fixedField = (message = ''): string | undefined =>
  /^(?:.*? is invalid: )?(?<field>[\w.[\]]+): Invalid value: .*field is immutable/s.exec(message)?.groups?.['field'];

function bodyOf({ body }: ApiFailure<unknown>): { message?: string } {
  if (typeof body !== 'string') return body ?? {};
  try {
    return JSON.parse(body) as { message?: string };
  } catch {
    return { message: body };
  }
}
