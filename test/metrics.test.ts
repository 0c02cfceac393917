import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, scrapeConfiguration, startPrometheus, type LocalPrometheus } from '@fourfold/local-servers';
import { initialVector, lpipsLayout, safetensorsFromVector } from '@fourfold/weights';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clusterConfig } from './support/cluster-config.js';
import { startCluster, type Cluster } from './support/cluster.js';
import { alertsPath, alertTestsPath, dashboardExpressions, hastyAlerts } from './support/deployed.js';
import { checkMetrics, get, ownMetrics, query, runPromtool, seriesOf, type Sample } from './support/metrics.js';
import { killAll, photographs, type Process } from './support/process.js';
import { lacks } from './support/needs.mjs';
import { unhurried } from './support/unhurried/unhurried.js';

/*
 * A real Prometheus scrapes all processes of a cluster that trains. All tests are about the same run.
 */

const programs = ['nats-server', 'minio', 'prometheus', 'promtool'] as const;
const anyPort = ['--http', '127.0.0.1:0'];
const scrapeSeconds = 1;
const patience = { timeout: 120_000, interval: 500 };
const environment = (own: Record<string, string>) => ({ ...own, ...unhurried });

/** Every value that a label may have, whatever the run does. */
const labelValues: Record<string, readonly (string | RegExp)[]> = {
  run: ['watched'],
  network: ['generator', 'discriminator', 'alex'],
  term: ['total', 'content', 'adversarial', 'total_variation', 'pixels', 'spread', 'grid', 'real', 'fake'],
  part: [
    ...['applying', 'reducing', 'transferring', 'waiting', 'computing', 'copying', 'writing'],
    ...['checkpoints', 'pictures', 'record', 'metrics', 'reports'],
  ],
  set: ['held-out'],
  kind: ['mse', 'content', 'gan', 'parameters', 'gradients', 'sum'],
  peer: [/^(.+:\d+)?$/],
  direction: ['sent', 'received'],
  transport: ['shared-memory', 'stream', 'grpc'],
  outcome: ['taken', 'left_out', 'batch', 'busy', 'failed'],
  state: [
    ...['computing', 'idle'],
    ...['waiting_for_workers', 'training', 'evaluating', 'writing_a_checkpoint', 'finished', 'stopped'],
  ],
  le: [/^(\d+(\.\d+)?|\+Inf)$/],
};

describe.skipIf(lacks('servers', programs.every(findProgram)))(
  'metrics of a cluster (after npm run setup:servers)',
  () => {
    const phases = [
      { kind: 'mse', iterations: 4, learningRate: 1e-3 },
      { kind: 'gan', iterations: 100_000, learningRate: 1e-4 },
    ];
    let folder: string;
    let cluster: Cluster;
    let prometheus: LocalPrometheus;
    /** By job. */
    let processes: Record<'coordinator' | 'worker' | 'data-loader', Process[]>;
    let addresses: Record<string, string[]>;

    const addressOf = async (part: Process): Promise<string> =>
      String((await part.waitFor(({ event }) => event === 'http', 'its HTTP server'))['address']);
    const all = () => Object.values(processes).flat();
    const allAddresses = () => Object.values(addresses).flat();

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'fourfold-metrics-'));
      const images = join(folder, 'held-out');
      await mkdir(images);
      const region = { left: 200, top: 120, width: 160, height: 120 };
      await sharp(join(photographs, 'held-out', 'coffee.png'))
        .extract(region)
        .toFile(join(images, 'coffee.png'));
      const layout = lpipsLayout('alexnet');
      const lpipsWeights = join(folder, 'made-up.safetensors');
      await writeFile(lpipsWeights, safetensorsFromVector(layout, initialVector(layout, 0), {}));
      const validation = { images, every: 3, pictures: 0, lpips: 'alex', lpipsWeights };
      const config = `${clusterConfig(phases)}\nvalidation: ${JSON.stringify(validation)}\n`;
      cluster = await startCluster({ config, name: 'watched' });
      const { process: coordinator } = await cluster.startCoordinator(...anyPort);
      processes = {
        coordinator: [coordinator],
        worker: Array.from({ length: 3 }, () => cluster.startStranger('worker', { environment }, ...anyPort)),
        'data-loader': Array.from({ length: 2 }, () => cluster.startLoader(...anyPort)),
      };
      const found = Object.entries(processes).map(async ([job, parts]) => [
        job,
        await Promise.all(parts.map(addressOf)),
      ]);
      addresses = Object.fromEntries(await Promise.all(found)) as typeof addresses;
      const jobs = Object.entries(addresses).map(([name, addresses]) => ({ name, addresses }));
      const rules = join(folder, 'alerts.yaml');
      await writeFile(rules, hastyAlerts());
      prometheus = await startPrometheus(scrapeConfiguration(jobs, scrapeSeconds, [rules]));
    });

    afterAll(async () => {
      await killAll();
      await prometheus.stop();
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    });

    /** Wait until an expression has the given number of series, each with a value that meets the condition. */
    async function has(expression: string, series: number, isGood: (value: number) => boolean): Promise<void> {
      let samples: Sample[] = [];
      const good = async () => {
        samples = await query(prometheus.url, expression);
        return samples.length === series && samples.every(({ value }) => isGood(value));
      };
      await expect
        .poll(good, patience)
        .toBe(true)
        .catch((cause: unknown) => {
          throw new Error(`${expression}: ${JSON.stringify(samples)}`, { cause });
        });
    }

    const above = (least: number) => (value: number) => value > least;
    const is = (expected: number) => (value: number) => value === expected;
    const isThere = above(-1);

    test.each<[expression: string, series: number, isGood: (value: number) => boolean]>([
      ['up', 6, is(1)],
      ['fourfold_iteration', 1, above(6)],
      ['fourfold_phase', 1, is(1)],
      ['fourfold_phase_kind{kind="gan"}', 1, is(1)],
      ['fourfold_run_state == 1', 1, isThere],
      ['fourfold_learning_rate', 1, is(1e-4)],
      ['fourfold_loss{network="generator",term=~"total|content|adversarial"}', 3, above(0)],
      ['fourfold_loss{network="discriminator",term=~"real|fake"}', 2, above(0)],
      ['fourfold_validation_psnr_decibels{set="held-out"}', 1, above(0)],
      ['fourfold_validation_ssim_ratio{set="held-out"}', 1, isThere],
      ['fourfold_validation_best_psnr_decibels', 1, above(0)],
      ['fourfold_validation_bicubic_psnr_decibels{set="held-out"}', 1, above(20)],
      ['fourfold_validation_bicubic_ssim_ratio{set="held-out"}', 1, above(0.4)],
      ['rate(fourfold_iterations_total[1m])', 1, above(0)],
      ['rate(fourfold_samples_total[1m])', 1, above(0)],
      ['fourfold_iterations_per_second', 1, above(0)],
      ['fourfold_samples_per_second', 1, above(0)],
      ['fourfold_remaining_seconds', 1, above(0)],
      ['fourfold_update_part_seconds_count{part=~"waiting|transferring|reducing|applying"}', 8, above(0)],
      [
        'sum by (network, part) (fourfold_lease_part_seconds_count{part=~"waiting|transferring|computing"})',
        6,
        above(0),
      ],
      ['sum by (instance) (fourfold_lease_part_seconds_sum{part="computing"})', 3, above(0)],
      ['sum by (job, direction, kind) (fourfold_exchange_bytes_total)', 4, above(0)],
      ['sum(fourfold_workers)', 1, is(3)],
      ['fourfold_workers{state=~"computing|idle"}', 2, isThere],
      // On a busy machine one may have joined again.
      ['fourfold_workers_joined_total', 1, above(2)],
      ['fourfold_leases_granted_total', 1, above(0)],
      ['fourfold_leases_moved_total', 1, isThere],
      ['fourfold_results_refused_total', 1, isThere],
      ['fourfold_worker_joined', 3, is(1)],
      ['fourfold_worker_batches_total', 3, above(0)],
      ['fourfold_worker_batch_waits_total', 3, isThere],
      ['rate(fourfold_worker_batch_wait_seconds_total[1m])', 3, isThere],
      ['sum(fourfold_batches_received_total)', 1, above(0)],
      ['sum by (direction) (fourfold_batch_bytes_total)', 2, above(0)],
      ['sum(fourfold_batch_answers_total{outcome="batch"})', 1, above(0)],
      ['sum(fourfold_pictures_decoded_total)', 1, above(0)],
      ['fourfold_dataset_pictures{outcome="taken"}', 2, is(6)],
      ['fourfold_dataset_pictures{outcome="left_out"}', 2, is(0)],
      ['fourfold_checkpoint_seconds_count{part=~"copying|writing"}', 2, above(0)],
      ['fourfold_checkpoints_total', 1, above(0)],
      ['fourfold_checkpoint_size_bytes', 1, above(0)],
      ['fourfold_checkpoint_age_seconds', 1, above(0)],
      ['time() - fourfold_checkpoint_timestamp_seconds', 1, above(0)],
      ['process_resident_memory_bytes', 6, above(0)],
      ['fourfold_device_memory_tensor_bytes', 3, above(0)],
      ['fourfold_device_memory_used_bytes / fourfold_device_memory_size_bytes < 1', 3, above(0)],
    ])('Prometheus has %s', has, patience.timeout + 5_000);

    test("the parts of updates add up to the updates' time", async () => {
      const sums = 'sum(fourfold_update_part_seconds_sum) / sum(fourfold_update_seconds_sum)';
      await has(sums, 1, (value) => Math.abs(value - 1) < 1e-6);
    });

    // An annotation has data only when something changed, maybe before the first scrape: the metric that it watches has data now.
    const whenChanged = / and on \(namespace, run\) changes\(.*/;
    test.each(dashboardExpressions())('%s: Prometheus has %s', async (_where, expression) => {
      const count = (of: string) => query(prometheus.url, of).then((samples) => samples.length);
      expect(await count(expression)).toBeGreaterThanOrEqual(0);
      const now = expression.replace(whenChanged, '');
      await expect.poll(() => count(now), { interval: 500 }).toBeGreaterThan(0);
    });

    test('promtool accepts the alerts, and their own tests pass', async () => {
      expect(await runPromtool(['check', 'rules', alertsPath])).toMatchObject({ code: 0 });
      expect(await runPromtool(['test', 'rules', alertTestsPath])).toMatchObject({ code: 0 });
    });

    /** Wait until an alert fires. */
    const fires = (name: string) => has(`ALERTS{alertname="${name}",alertstate="firing",run="watched"}`, 1, is(1));

    test('a worker that is lost: its work goes to others, and its seat is free', async () => {
      const [{ child }] = processes.worker;
      // While frozen it is sure to get a lease; another gets that lease once it is lost, or earlier if it counts as slow.
      child.kill('SIGSTOP');
      // On a busy machine another may have left and joined again.
      await has('fourfold_workers_left_total', 1, above(0));
      await has('sum(fourfold_workers)', 1, is(2));
      await has('fourfold_leases_moved_total + fourfold_leases_straggling_total', 1, above(0));
      await fires('FourfoldWorkerShort');
      child.kill('SIGKILL');
      await has('up{job="worker"} == 0', 1, isThere);
    });

    test('promtool accepts the metrics, and label values are bounded', async () => {
      const living = allAddresses().filter((address) => address !== addresses['worker'][0]);
      const scrape = () =>
        Promise.all(living.map(async (address) => ownMetrics((await get(address, '/metrics')).text)));
      // What comes with the first adversarial iteration and the first evaluation.
      await has('fourfold_loss', 5, isThere);
      await has('fourfold_validation_iteration', 1, isThere);
      const texts = await scrape();
      for (const text of texts) {
        expect(text.length).toBeGreaterThan(1000);
        expect(await checkMetrics(text)).toEqual({ code: 0, said: '' });
      }
      const namesOf = (text: string) =>
        seriesOf(text).map(({ name, labels }) => [name, ...Object.values(labels)].join());
      const names = texts.flatMap(namesOf);
      const [{ value: before }] = await query(prometheus.url, 'fourfold_iteration');
      await has('fourfold_iteration', 1, above(before + 2));
      // More iterations and leases add no series.
      const later = await scrape();
      const known = new Set(names);
      expect(later.flatMap(namesOf).filter((name) => !known.has(name))).toEqual([]);
      for (const { name, labels } of later.flatMap(seriesOf)) {
        for (const [label, value] of Object.entries(labels)) {
          const allowed = labelValues[label] ?? [];
          const isAllowed = allowed.some((one) => (one instanceof RegExp ? one.test(value) : one === value));
          expect(isAllowed, `${name}{${label}="${value}"}`).toBe(true);
        }
      }
    });

    test('each process is healthy and ready; an unknown path is not found', async () => {
      for (const address of allAddresses().filter((address) => address !== addresses['worker'][0])) {
        expect([await get(address, '/healthz'), await get(address, '/readyz')]).toEqual([
          { status: 200, text: 'ok\n' },
          { status: 200, text: 'ok\n' },
        ]);
        expect((await get(address, '/nothing')).status).toBe(404);
      }
    });

    test('log lines name their run, iteration, replica and worker', () => {
      for (const { events } of all()) expect(events.filter(({ run }) => run !== 'watched')).toEqual([]);
      const number = expect.any(Number) as number;
      const about = { iteration: number, replica: number, worker: number };
      const [coordinator] = processes.coordinator;
      for (const name of ['lease', 'gradient']) {
        const lines = coordinator.events.filter(
          ({ event, task }) => event === name && !String(task).startsWith('evaluation'),
        );
        expect(lines.length).toBeGreaterThan(0);
        for (const line of lines) expect(line).toMatchObject(about);
      }
      for (const worker of processes.worker) {
        const leases = worker.events.filter(({ event, network }) => event === 'lease' && network);
        expect(leases.length).toBeGreaterThan(0);
        for (const line of leases) expect(line).toMatchObject(about);
      }
      expect(
        new Set(processes.worker.map(({ events }) => events.find(({ event }) => event === 'joined')?.['worker'])).size,
      ).toBe(3);
    });

    test('alerts: data-loaders that are frozen, then a coordinator that is lost', async () => {
      const signal = (job: keyof typeof processes, name: NodeJS.Signals) =>
        processes[job].forEach(({ child }) => child.kill(name));
      signal('data-loader', 'SIGSTOP');
      await fires('FourfoldNoProgress');
      await fires('FourfoldCheckpointTooOld');
      await fires('FourfoldWaitingForData');
      signal('data-loader', 'SIGCONT');
      await has('ALERTS{alertname="FourfoldNoProgress"}', 0, isThere);
      signal('coordinator', 'SIGKILL');
      await fires('FourfoldCoordinatorAway');
    });
  },
);
