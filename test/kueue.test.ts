import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import { hasKubernetes } from '@fourfold/local-servers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestKubernetes, type TestKubernetes } from './support/kubernetes.js';
import { startKueue } from './support/kueue.js';
import { killAll } from './support/process.js';

/* `fourfold submit --queue` with Kueue's real controller: a quota of 8 GPUs admits one run of 8 workers at a time. */

const namespace = 'team';
const inTeam = ['--namespace', namespace];
const patience = { timeout: 60_000, interval: 250 };
const isRunning = ({ status }: V1Pod): boolean => status?.phase === 'Running';

describe.skipIf(!hasKubernetes())('Kueue (after npm run setup:servers -- kubernetes)', () => {
  let kubernetes: TestKubernetes;

  beforeAll(async () => {
    kubernetes = await startTestKubernetes();
    await Promise.all([
      kubernetes.addNode('gpus-1', 8),
      kubernetes.addNode('gpus-2', 8),
      kubernetes.addNamespace(namespace),
    ]);
    await startKueue(kubernetes);
    for (const object of queues) await vi.waitFor(() => kubernetes.apply(object), patience);
  }, 180_000);

  afterAll(async () => {
    await killAll();
    await kubernetes.stop();
  });

  const submit = async (name: string, ...args: string[]) =>
    kubernetes.fourfold('submit', await kubernetes.writeConfig(name), ...inTeam, '--gpus', '1', ...args);
  const status = async (run: string) => (await kubernetes.fourfold('status', run, ...inTeam)).stdout;
  const workersOf = async (run: string) => (await kubernetes.podsOf(namespace, run, 'worker')).filter(isRunning).length;

  test('a run is admitted while the quota has room; the next waits, and starts when the first is cancelled', async () => {
    const first = await submit('first', '--workers', '8', '--queue', 'fourfold');
    expect(first.code, first.stderr).toBe(0);
    await vi.waitFor(async () => expect(await workersOf('first')).toBe(8), patience);
    const second = await submit('second', '--workers', '8', '--queue', 'fourfold');
    expect(second.code, second.stderr).toBe(0);
    expect(second.stdout).toMatch(/^run second in namespace team is queued/);
    expect(await status('second')).toMatch(/^second: queued, queue fourfold, /);
    expect(await workersOf('second')).toBe(0);
    // The cluster has 8 more GPUs, which a run without a queue may take at once.
    const free = await submit('free', '--workers', '8');
    expect(free.code, free.stderr).toBe(0);
    expect(await workersOf('free')).toBe(8);
    expect(await workersOf('second')).toBe(0);
    for (const run of ['free', 'first']) expect((await kubernetes.fourfold('cancel', run, ...inTeam)).code).toBe(0);
    await vi.waitFor(async () => expect(await workersOf('second')).toBe(8), patience);
    expect(await status('second')).toMatch(/^second: running, queue fourfold, /);
  }, 180_000);
});

const kueue = (kind: string, metadata: object, spec: object) =>
  ({ apiVersion: 'kueue.x-k8s.io/v1beta2', kind, metadata, spec }) as KubernetesObject;
const quota = (name: string, nominalQuota: string) => ({ name, nominalQuota });
const quotas = [quota('cpu', '1000'), quota('memory', '10Ti'), quota('ephemeral-storage', '10Ti')];
const resources = [...quotas, quota('nvidia.com/gpu', '8')];

/** A quota of 8 GPUs behind the LocalQueue `fourfold`. */
const queues = [
  kueue('ResourceFlavor', { name: 'any' }, {}),
  kueue(
    'ClusterQueue',
    { name: 'fourfold' },
    {
      namespaceSelector: {},
      resourceGroups: [{ coveredResources: resources.map(({ name }) => name), flavors: [{ name: 'any', resources }] }],
    },
  ),
  kueue('LocalQueue', { name: 'fourfold', namespace }, { clusterQueue: 'fourfold' }),
];
