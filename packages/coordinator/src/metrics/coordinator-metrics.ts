import { addCertificateMetrics, addHopMetrics, addTrafficMetrics, type HopCounts, type Traffic } from '@fourfold/rpc';
import { createMetrics, networks, type Metrics, type RunConfig } from '@fourfold/common';
import type { SavedCheckpoint } from '../updates/checkpoint-saver.js';
import type { History } from '@fourfold/store';
import type { LeaseCounts } from '../leases/lease-counts.js';
import { addRunMetrics, type LossesByNetwork } from './run-metrics.js';
import type { StatusNow } from '../status/status.js';
import type { FinishedUpdate } from '../training/train.js';
import { updateParts } from '../updates/update-clock.js';

/** What the metrics read when they are collected. */
export interface CoordinatorFigures {
  config: RunConfig;
  now: () => StatusNow;
  history: () => History;
  leases: () => Readonly<LeaseCounts>;
  /** Workers that were refused. */
  workersRefused: () => number;
  traffic: Traffic;
  /** How often a worker did not pass on its part along a chain. */
  brokenHops: () => number;
  hops: Pick<HopCounts, 'read'>;
  /** How often each part of the housekeeping has failed. */
  housekeepingFailures: () => Readonly<Record<string, number>>;
}

/** The metrics, and the events that the coordinator must report to them. */
export interface CoordinatorMetrics extends Metrics {
  updated: (update: FinishedUpdate) => void;
  checkpointSaved: (saved: SavedCheckpoint) => void;
  checkpointFailed: () => void;
}

/** A coordinator's metrics for Prometheus. */
export function createCoordinatorMetrics(figures: CoordinatorFigures): CoordinatorMetrics {
  const { config, now, history } = figures;
  const metrics = createMetrics(config.name);
  let phase: number | undefined;
  let losses: LossesByNetwork = {};
  let iterationsDone = 0;
  addRunMetrics(metrics, {
    config,
    now,
    history,
    losses: () => losses,
    iterationsDone: () => iterationsDone,
  });
  addWorkerMetrics(metrics, figures);
  addCertificateMetrics(metrics);
  const updateSeconds = metrics.seconds('fourfold_update_seconds', 'Time of an update, from its first lease.', {
    network: networks,
  });
  const partSeconds = metrics.seconds(
    'fourfold_update_part_seconds',
    'Where the time of an update goes: waiting for workers, transferring, reducing, applying (Adam). The parts add up.',
    { network: networks, part: updateParts },
  );
  const checkpoints = addCheckpointMetrics(metrics, figures);
  metrics.counter(
    'fourfold_housekeeping_failures_total',
    'Failures that do not end a run: checkpoints not removed, pictures not shown, records not written.',
    ['part'],
    () => Object.entries(figures.housekeepingFailures()).map(([part, times]) => [{ part }, times]),
  );
  return {
    ...metrics,
    updated({ half: { network, position }, losses: newest, seconds }) {
      if (position.phase !== phase) losses = {};
      phase = position.phase;
      losses[network] = newest;
      if (network === 'generator') iterationsDone++;
      updateSeconds(
        { network },
        updateParts.reduce((sum, part) => sum + seconds[part], 0),
      );
      for (const part of updateParts) partSeconds({ network, part }, seconds[part]);
    },
    ...checkpoints,
  };
}

/** Workers, leases, and the bytes between them and the coordinator. */
function addWorkerMetrics(metrics: Metrics, figures: CoordinatorFigures): void {
  const { counter, gauge } = metrics;
  const { now, leases, workersRefused, traffic, brokenHops, hops } = figures;
  gauge('fourfold_workers', 'Seated workers, by what they do.', ['state'], () => {
    const { workers } = now();
    const computing = workers.filter(({ tasks }) => tasks.length > 0).length;
    return [
      [{ state: 'computing' }, computing],
      [{ state: 'idle' }, workers.length - computing],
    ];
  });
  const counts: [name: string, help: string, read: () => number][] = [
    ['workers_joined', 'Workers that took a seat.', () => leases().joined],
    ['workers_left', 'Workers that left or were lost.', () => leases().left],
    ['workers_refused', 'Workers that were refused.', workersRefused],
    ['leases_granted', 'Leases granted to workers.', () => leases().granted],
    [
      'leases_moved',
      'Leases of work that another worker had before: that worker was lost, or its result was rejected.',
      () => leases().moved,
    ],
    [
      'leases_straggling',
      'Leases also granted to an idle worker because the first worker is slow.',
      () => leases().straggling,
    ],
    ['results_refused', 'Late results, whose tokens were no longer valid.', () => leases().refused],
    ['results_rejected', 'Rejected results: damaged, or lost in transit.', () => leases().rejected],
    ['hops_broken', 'Times that a worker did not pass on its part of a chain.', brokenHops],
  ];
  for (const [name, help, read] of counts) counter(`fourfold_${name}_total`, help, [], read);
  addTrafficMetrics(metrics, traffic, { parameters: 'sent', gradients: 'received' });
  addHopMetrics(metrics, hops);
}

function addCheckpointMetrics({ counter, gauge, seconds }: Metrics, { now }: CoordinatorFigures) {
  let failures = 0;
  let written = 0;
  let newestBytes: number | undefined;
  const startedAtMs = Date.now();
  const observe = seconds(
    'fourfold_checkpoint_seconds',
    'Time of a checkpoint: copying the state and writing it, both beside updates.',
    { part: ['copying', 'writing'] },
  );
  counter('fourfold_checkpoints_total', 'Checkpoints that this coordinator has written.', [], () => written);
  counter('fourfold_checkpoint_failures_total', 'Checkpoints that could not be written.', [], () => failures);
  gauge('fourfold_checkpoint_size_bytes', 'Size of the newest checkpoint of this coordinator.', [], () => newestBytes);
  gauge('fourfold_checkpoint_timestamp_seconds', 'When the newest checkpoint was published, as Unix time.', [], () => {
    const newest = now().checkpoint;
    return newest && newest.savedAtMs / 1000;
  });
  gauge(
    'fourfold_checkpoint_age_seconds',
    'Cost of losing the coordinator: time since the newest checkpoint, or since the coordinator’s start.',
    [],
    // Work before its start and after the checkpoint that it resumed from is already lost.
    () => (Date.now() - Math.max(startedAtMs, now().checkpoint?.savedAtMs ?? 0)) / 1000,
  );
  return {
    checkpointSaved({ copySeconds, writeSeconds, sizeBytes }: SavedCheckpoint): void {
      written++;
      newestBytes = sizeBytes;
      observe({ part: 'copying' }, copySeconds);
      observe({ part: 'writing' }, writeSeconds);
    },
    checkpointFailed(): void {
      failures++;
    },
  };
}
