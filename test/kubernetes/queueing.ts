import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { gpuCluster, isRunning, type TestKubernetes } from '../support/kubernetes.js';
import { clusterQueue, kueueObject, startKueue, type Kueue } from '../support/kueue.js';

/* `fourfold submit --queue` with Kueue's real controller: a quota of 8 GPUs admits one run of 8 workers at a time. */

const patience = { timeout: 120_000, interval: 250 };

const elastic = 'ElasticJobsViaWorkloadSlices';

export function testQueueing(): void {
  const more = ['more-1', 'more-2'];

  beforeAll(async () => {
    const kubernetes = await gpuCluster();
    await Promise.all(more.map((name) => kubernetes.addNode(name, 4)));
  });

  afterAll(async () => {
    const { core } = await gpuCluster();
    for (const name of more) await core.deleteNode({ name });
  });

  describe.each([
    { how: 'by default', namespace: 'queue', gates: [] },
    { how: `with ${elastic}`, namespace: 'elastic-queue', gates: [elastic] },
  ])('Kueue $how', testKueue);
}

function testKueue({ namespace, gates }: { namespace: string; gates: readonly string[] }): void {
  const inQueue = ['--namespace', namespace];
  let kubernetes: TestKubernetes;
  let kueue: Kueue;

  beforeAll(async () => {
    kubernetes = await gpuCluster();
    await kubernetes.addNamespace(namespace);
    kueue = await startKueue(kubernetes, gates);
    for (const object of queuesOf(namespace)) await vi.waitFor(() => kubernetes.apply(object), patience);
  });

  afterAll(async () => {
    await kueue.stop();
  });

  const fourfold = async (...args: string[]) => {
    const { code, stdout, stderr } = await kubernetes.fourfold(...args, ...inQueue);
    expect(code, stderr).toBe(0);
    return stdout;
  };
  const submit = async (name: string, ...args: string[]) =>
    fourfold('submit', await kubernetes.writeConfig(name), '--gpus', '1', ...args);
  /** Uids of a run's running pods of a role. */
  const uidsOf = async (run: string, role = 'worker') =>
    (await kubernetes.podsOf(namespace, run, role)).filter(isRunning).map(({ metadata }) => metadata?.uid as string);
  /** Uids of a run's workers once the given number runs, without those that are stopping. */
  const untilWorkers = (run: string, count: number, stopped: string[] = []) =>
    vi.waitFor(async () => {
      const uids = await uidsOf(run);
      expect(uids).toHaveLength(count);
      expect(uids.filter((uid) => stopped.includes(uid))).toEqual([]);
      return uids;
    }, patience);

  test('a run is admitted while the quota has room; the next waits, and starts when the first is cancelled', async () => {
    await submit('first', '--workers', '8', '--queue', 'fourfold');
    await untilWorkers('first', 8);
    const second = await submit('second', '--workers', '8', '--queue', 'fourfold');
    expect(second.startsWith(`run second in namespace ${namespace} is queued`), second).toBe(true);
    expect(await fourfold('status', 'second')).toMatch(/^second: queued, queue fourfold, /);
    // The cluster has 8 more GPUs, which a run without a queue may use at once.
    await submit('free', '--workers', '8');
    expect(await uidsOf('free')).toHaveLength(8);
    expect(await uidsOf('second')).toHaveLength(0);
    for (const run of ['free', 'first']) await fourfold('cancel', run);
    await untilWorkers('second', 8);
    expect(await fourfold('status', 'second')).toMatch(/^second: running, queue fourfold, /);
  });

  test('a run that is scaled keeps its coordinator, and its workers where Kueue can; beyond the quota the rest waits', async () => {
    const isElastic = gates.length > 0;
    const scale = (workers: number) => fourfold('scale', 'second', '--workers', `${workers}`);
    const coordinator = await uidsOf('second', 'coordinator');
    const eight = await untilWorkers('second', 8);
    expect(await scale(6)).toMatch(/6 workers, as soon as queue fourfold admits them/);
    const six = await untilWorkers('second', 6, isElastic ? [] : eight);
    if (isElastic) expect(eight).toEqual(expect.arrayContaining(six));
    await scale(12);
    const waiting = isElastic ? /6 workers wait: the queue has not admitted/ : /^second: queued/;
    await vi.waitFor(async () => expect(await fourfold('status', 'second')).toMatch(waiting), patience);
    expect(await untilWorkers('second', isElastic ? 6 : 0)).toEqual(isElastic ? six : []);
    await scale(7);
    const seven = await untilWorkers('second', 7);
    if (isElastic) expect(seven).toEqual(expect.arrayContaining(six));
    expect(await uidsOf('second', 'coordinator')).toEqual(coordinator);
    // Repeating it changes nothing.
    await submit('second', '--workers', '7', '--queue', 'fourfold');
    expect(await uidsOf('second')).toEqual(seven);
    await fourfold('cancel', 'second');
    await vi.waitFor(async () => expect(await uidsOf('second')).toEqual([]), patience);
  });
}

/** A quota of 8 GPUs, which the LocalQueue `fourfold` of a namespace uses. */
const queuesOf = (namespace: string) => [
  ...clusterQueue({ cpu: '1000', memory: '10Ti', 'ephemeral-storage': '10Ti', 'nvidia.com/gpu': '8' }),
  kueueObject('LocalQueue', { name: 'fourfold', namespace }, { clusterQueue: 'fourfold' }),
];
