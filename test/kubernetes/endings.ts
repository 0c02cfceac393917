import { appendFile, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test, vi } from 'vitest';
import { gpuCluster, isRunning, type TestKubernetes } from '../support/kubernetes.js';
import { expectFinished } from '../support/process.js';

/*
 * How runs end on Kubernetes, and how the command says so: logs until the result, failures that no retry mends, and runs that
 * cannot start. The last test removes the cluster's GPUs.
 */

const namespace = 'endings';
const inTeam = ['--namespace', namespace];
const patience = { timeout: 120_000, interval: 250 };

export function testEndings(): void {
  let kubernetes: TestKubernetes;

  beforeAll(async () => {
    kubernetes = await gpuCluster();
    await kubernetes.addNamespace(namespace);
  });

  const submit = (config: string, ...args: string[]) => kubernetes.fourfold('submit', config, ...inTeam, ...args);

  test('logs are read and followed; a run that has ended reports its result', async () => {
    await writeFile(kubernetes.podLog, `${new Date().toISOString()} stdout F {"event":"started"}\n`);
    const ends = await kubernetes.writeConfig('ends');
    const submitted = await submit(ends, '--workers', '2', '--gpus', '1');
    expect(submitted.code, submitted.stderr).toBe(0);
    const logs = (...args: string[]) => kubernetes.fourfold('logs', 'ends', ...inTeam, ...args);
    expect(await logs()).toEqual({ code: 0, stdout: '{"event":"started"}\n', stderr: '' });
    const both = await logs('--role', 'worker', '--tail', '1');
    expect(both.stdout.split('\n').sort()).toEqual([
      '',
      expect.stringMatching(/^ends-worker-0-\w+ \{"event":"started"\}$/),
      expect.stringMatching(/^ends-worker-1-\w+ \{"event":"started"\}$/),
    ]);
    const beyond = await logs('--role', 'worker', '--index', '2');
    expect([beyond.code, beyond.stderr]).toEqual([2, 'fourfold: run ends has no worker 2; its workers are 0 to 1']);
    // kwok never ends a followed stream, even when the pod has ended.
    const followed = ['coordinator', 'worker'].map((role) => kubernetes.follow('ends', ...inTeam, '--role', role));
    const say = async (event: string) => {
      await appendFile(kubernetes.podLog, `${new Date().toISOString()} stdout F {"event":"${event}"}\n`);
    };
    const untilRead = (event: string) =>
      vi.waitFor(() => {
        for (const { output } of followed) expect(output()).toContain(event);
      }, patience);
    for (const event of ['first', 'second']) {
      await say(event);
      await untilRead(event);
    }
    // A replacement is read from its beginning.
    const [lost] = await kubernetes.podsOf(namespace, 'ends', 'worker');
    await kubernetes.core.deleteNamespacedPod({ name: lost.metadata?.name as string, namespace });
    await vi.waitFor(async () => {
      const pods = await kubernetes.podsOf(namespace, 'ends', 'worker');
      expect(pods.filter(isRunning)).toHaveLength(2);
      expect(new Set(followed[1].output().match(/^ends-worker-\d-\w+/gm)).size).toBe(3);
    }, patience);
    const watched = kubernetes.fourfold('status', 'ends', ...inTeam, '--watch', '--json');
    for (const role of ['worker', 'data-loader', 'coordinator']) {
      for (const pod of await kubernetes.podsOf(namespace, 'ends', role)) await kubernetes.endPod(pod, 0);
    }
    const { code, stdout, stderr } = await watched;
    expect(code, stderr).toBe(0);
    const last = JSON.parse(stdout.trim().split('\n').at(-1) as string) as { state: string };
    expect(last.state).toBe('finished');
    const lines = ['started', 'first', 'second'].map((event) => `{"event":"${event}"}`);
    const [ofCoordinator, ofWorkers] = followed;
    await expectFinished(ofCoordinator);
    expect(ofCoordinator.output().trim().split('\n')).toEqual(lines);
    await expectFinished(ofWorkers);
    expect(ofWorkers.output().match(new RegExp(`^ends-worker-1-\\w+ .*$`, 'gm'))).toHaveLength(3);
    await vi.waitFor(async () => {
      const status = await kubernetes.fourfold('status', 'ends', ...inTeam, '--json');
      const { roles } = JSON.parse(status.stdout) as { roles: { role: string; done: boolean }[] };
      expect(roles.filter(({ done }) => done).map(({ role }) => role)).toEqual([
        'coordinator',
        'worker',
        'data-loader',
      ]);
    }, patience);
  });

  test('the exit code of a user’s mistake fails the run at once', async () => {
    const broken = await kubernetes.writeConfig('broken');
    expect((await submit(broken, '--workers', '2', '--gpus', '1')).code).toBe(0);
    const [worker] = await kubernetes.podsOf(namespace, 'broken', 'worker');
    await kubernetes.endPod(worker, 2);
    const { code, stderr } = await kubernetes.fourfold('status', 'broken', ...inTeam, '--watch');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^fourfold: run broken has failed: the worker has failed: Container worker for pod .* failed with exit code 2/,
    );
    const again = await submit(broken, '--workers', '2', '--gpus', '1');
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(
      / with exit code 2.*; it is not retried: `fourfold logs broken.*` says why; then `fourfold cancel broken/,
    );
    expect((await kubernetes.fourfold('cancel', 'broken', ...inTeam)).code).toBe(0);
  });

  test('a quota, an image or a lack of GPUs that keeps a run from starting is reported on one line', async () => {
    await kubernetes.addNamespace('poor');
    const spec = { hard: { pods: '1' } };
    await kubernetes.core.createNamespacedResourceQuota({
      namespace: 'poor',
      body: { metadata: { name: 'small' }, spec },
    });
    const config = await kubernetes.writeConfig('short');
    const lastLine = async (...args: string[]) => {
      const { code, stderr } = await kubernetes.fourfold('submit', config, ...args);
      expect(code, stderr).toBe(1);
      return stderr.split('\n').at(-1);
    };
    expect(await lastLine('--namespace', 'poor', '--gpus', '1')).toMatch(
      /^fourfold: run short does not start: \d \S+ waits?: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1;/,
    );
    const image = 'registry.example/missing/fourfold:1';
    expect(await lastLine(...inTeam, '--gpus', '1', '--image', image)).toMatch(
      /^fourfold: run short does not start: 1 coordinator waits: (\S+) cannot be pulled: \1: not found;/,
    );
    expect((await kubernetes.fourfold('cancel', 'short', ...inTeam)).code).toBe(0);
    for (const name of ['gpus-1', 'gpus-2']) await kubernetes.core.deleteNode({ name });
    expect(await lastLine(...inTeam, '--gpus', '1')).toMatch(
      /^fourfold: run short does not start: 2 workers wait: the cluster has no nvidia\.com\/gpu;/,
    );
  });
}
