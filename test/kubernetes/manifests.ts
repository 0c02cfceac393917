import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject, V1ConfigMap, V1Job, V1NetworkPolicy } from '@kubernetes/client-node';
import { beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { alertsPath } from '../support/deployed.js';
import { repository } from '../support/documented-commands.js';
import { startJobSet } from '../support/jobset.js';
import { deployFolder, gpuCluster, inNamespace, kustomize, type TestKubernetes } from '../support/kubernetes.js';

/*
 * deploy/k8s as Kustomize renders it against a real API server, scheduler and controllers: base and every overlay. Nodes and pods are
 * played by kwok.
 */

const namespace = 'manifests';
const patience = { timeout: 120_000, interval: 250 };

/** Pods of the servers. Volumes are not provided here: MinIO's pod waits for its own. */
const servers = { 'fourfold-nats': { Running: 1 }, 'fourfold-minio': { Pending: 1 } };
/** Pods of a run. */
const parts = { coordinator: { Running: 1 }, worker: { Running: 2 }, 'data-loader': { Running: 2 } };

export function testManifests(): void {
  let kubernetes: TestKubernetes;

  beforeAll(async () => {
    kubernetes = await gpuCluster();
    await kubernetes.addNamespace(namespace);
    await kubernetes.defineResources(/jobsets|localqueues|podmonitors|prometheusrules|certificates|issuers/);
  });

  /** Names of a namespace's applications, or of a run's roles, and how many of their pods are in which phase. */
  const podsBy = async (namespace: string) => {
    const { items } = await kubernetes.core.listNamespacedPod({ namespace });
    const counts: Record<string, Record<string, number>> = {};
    for (const { metadata, status } of items) {
      const { 'app.kubernetes.io/component': role, 'app.kubernetes.io/name': name = '' } = metadata?.labels ?? {};
      const of = (counts[role ?? name] ??= {});
      const phase = status?.phase ?? '';
      of[phase] = (of[phase] ?? 0) + 1;
    }
    return counts;
  };

  // Concurrent: each has its own namespace, and most of the time is waiting.
  test.concurrent.each([
    ['base', servers],
    ['overlays/tls', servers],
    ['overlays/monitoring', {}],
    ['overlays/gpu', parts],
    ['overlays/kueue', parts],
  ])('%s is applied, its pods run under restricted Pod Security, and all of it is removed', async (path, pods) => {
    const namespace = path.replace('/', '-');
    const rendered = await kustomize(path);
    const prepared = rendered.some(({ kind }) => kind === 'Namespace') ? [] : await kustomize('namespace');
    const objects = inNamespace([...prepared, ...rendered], namespace);
    const [own] = objects.filter(({ kind }) => kind === 'Namespace');
    expect(own.metadata?.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    // A new resource definition takes a moment to become available.
    for (const object of objects) await vi.waitFor(() => kubernetes.apply(object), patience);
    await vi.waitFor(async () => expect(await podsBy(namespace)).toEqual(pods), patience);
    for (const object of objects.reverse()) await kubernetes.remove(object);
    await vi.waitFor(async () => expect(await podsBy(namespace)).toEqual({}), patience);
  });

  test.concurrent('overlays/jobset: all parts run, and end when the coordinator has succeeded', async () => {
    const namespace = 'overlays-jobset';
    await startJobSet(kubernetes);
    const objects = inNamespace(
      [...(await kustomize('namespace')), ...(await kustomize('overlays/jobset'))],
      namespace,
    );
    for (const object of objects) await vi.waitFor(() => kubernetes.apply(object), patience);
    await vi.waitFor(async () => expect(await podsBy(namespace)).toEqual(parts), patience);
    const [coordinator] = await kubernetes.podsOf(namespace, 'first', 'coordinator');
    await kubernetes.endPod(coordinator, 0);
    const left = { coordinator: { Succeeded: 1 } };
    await vi.waitFor(async () => expect(await podsBy(namespace)).toEqual(left), patience);
    const jobSet = objects.find(({ kind }) => kind === 'JobSet') as KubernetesObject;
    await vi.waitFor(async () => {
      const { status } = (await kubernetes.apply(jobSet)) as { status: { terminalState: string } };
      expect(status.terminalState).toBe('Completed');
    }, patience);
    for (const object of objects.reverse()) await kubernetes.remove(object);
  });

  test('the dashboards are ConfigMaps that Grafana’s sidecar loads, and the alerts a PrometheusRule', async () => {
    const objects = await kustomize('overlays/monitoring');
    const dashboards = objects.filter(({ metadata }) => metadata?.labels?.['grafana_dashboard'] === '1');
    const files = dashboards.flatMap((object) => Object.entries((object as V1ConfigMap).data ?? {}));
    expect(files.map(([name]) => name).sort()).toEqual(['cluster.json', 'data.json', 'training.json']);
    for (const [, text] of files) expect(JSON.parse(text)).toMatchObject({ tags: ['fourfold'] });
    const rule = objects.find(({ kind }) => kind === 'PrometheusRule') as unknown as { spec: object };
    expect(rule.spec).toEqual(parse(await readFile(alertsPath, 'utf8')));
  });

  test('overlays/gpu has its own image when that of run is in a registry', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fourfold-test-k8s-'));
    try {
      await cp(deployFolder, folder, { recursive: true });
      const path = join(folder, 'run/kustomization.yaml');
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace('newName: fourfold,', 'newName: registry.example/team/sr,'));
      const imagesOf = async (path: string) => {
        const jobs = (await kustomize(path, folder)).filter(({ kind }) => kind === 'Job') as V1Job[];
        return new Set(jobs.map(({ spec }) => spec?.template.spec?.containers[0].image));
      };
      expect(await imagesOf('run')).toEqual(new Set(['registry.example/team/sr:0.1.0-cpu']));
      expect(await imagesOf('overlays/gpu')).toEqual(new Set(['fourfold:0.1.0-cuda']));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('DNS is open wherever a cluster runs it, and MinIO to the allowed namespaces', async () => {
    const policies = (await kustomize('base')).filter(({ kind }) => kind === 'NetworkPolicy') as V1NetworkPolicy[];
    const of = (name: string) => policies.find(({ metadata }) => metadata?.name === name)?.spec;
    const [names] = of('fourfold-names')?.egress ?? [];
    expect(names).not.toHaveProperty('to');
    expect(names.ports?.map(({ protocol, port }) => `${protocol} ${port}`).sort()).toEqual([
      'TCP 53',
      'TCP 5353',
      'UDP 53',
      'UDP 5353',
    ]);
    const [minio] = of('fourfold-minio')?.ingress ?? [];
    const others = { namespaceSelector: { matchLabels: { 'fourfold/checkpoints': 'pull' } } };
    expect(minio).toMatchObject({ from: expect.arrayContaining([others]) as unknown });
  });

  test('the run of deploy/k8s is that of the guide: config, image, workers', async () => {
    const guide = await readFile(join(repository, 'docs/kubernetes.md'), 'utf8');
    const [, config] = /cat > config\.yaml <<EOF\n([^]*?)EOF\n/.exec(guide) ?? [];
    const [, image, workers] =
      /fourfold submit config\.yaml .*\/(fourfold:\S+) --workers (\d) --gpus 1\n/.exec(guide) ?? [];
    const rendered = await kustomize('overlays/gpu');
    const run = rendered.find(({ kind }) => kind === 'ConfigMap') as V1ConfigMap;
    expect(parse(run.data?.['run.yaml'] ?? '')).toEqual(parse(config));
    const job = rendered.find(({ metadata }) => metadata?.name === 'first-worker') as V1Job;
    expect(job.spec).toMatchObject({
      completions: Number(workers),
      template: { spec: { containers: [{ image }] } },
    });
  });

  test('another team’s namespace has its name in every object, and in its servers’ certificates', async () => {
    const objects = await kustomize('overlays/team');
    expect(JSON.stringify(objects)).not.toMatch(/"namespace":"fourfold"|\.fourfold\.svc/);
    const names = objects.flatMap((object) => (object as { spec?: { dnsNames?: string[] } }).spec?.dnsNames ?? []);
    expect(names).toEqual(expect.arrayContaining(['fourfold-nats.team-a.svc', 'fourfold-minio.team-a.svc']));
  });

  test('TLS without cert-manager: the same servers, which take their certificates from the same Secrets', async () => {
    const own = (await kustomize('overlays/tls')).filter(({ apiVersion }) => !apiVersion?.startsWith('cert-manager'));
    expect(await kustomize('overlays/tls-files')).toEqual(own);
  });

  test('what prepares a namespace starts no run', async () => {
    for (const path of ['base', 'overlays/tls', 'overlays/team', 'overlays/monitoring']) {
      expect((await kustomize(path)).map(({ kind }) => kind)).not.toContain('Job');
    }
  });

  test('a pod that is not restricted is refused', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'one', namespace } };
    const spec = { containers: [{ name: 'one', image: 'fourfold' }] };
    await expect(kubernetes.apply({ ...pod, spec } as KubernetesObject, true)).rejects.toThrow('violates PodSecurity');
  });

  test.each([
    ['run', []],
    ['overlays/gpu', ['--gpus', '1', '--tls']],
  ])('submit sends the Jobs that Kustomize renders from %s', async (path, args) => {
    const rendered = await kustomize(path);
    const run = rendered.find(({ kind }) => kind === 'ConfigMap') as V1ConfigMap;
    const config = await kubernetes.writeFile('first.yaml', run.data?.['run.yaml'] ?? '');
    const dryRun = ['--namespace', namespace, '--dry-run=server', '-o', 'json'];
    const { stdout, stderr } = await kubernetes.fourfold('submit', config, ...args, ...dryRun);
    const ours = (JSON.parse(stdout || stderr) as { items: V1Job[] }).items.filter(({ kind }) => kind === 'Job');
    const theirs = rendered.filter(({ kind }) => kind === 'Job');
    expect(ours).toHaveLength(3);
    for (const job of ours) {
      const other = theirs.find(({ metadata }) => metadata?.name === job.metadata?.name) as V1Job;
      const moved = { ...other, metadata: { ...other.metadata, namespace } };
      expect(comparable(job)).toEqual(comparable((await kubernetes.apply(moved as KubernetesObject, true)) as V1Job));
    }
  });
}

/** A Job as it was sent: without the fields that the server adds. */
function comparable({ metadata, spec }: V1Job): unknown {
  return { labels: metadata?.labels, spec: { ...spec, selector: undefined, template: spec?.template.spec } };
}
