import { createMetrics, networks, withDeadline, type Metrics } from '@fourfold/common';
import type { DeviceMemory } from '@fourfold/model';
import { addCertificateMetrics } from '@fourfold/rpc';
import type { BatchWaits } from '../leases/batches.js';
import { leaseParts, type ComputedLease } from '../leases/compute-lease.js';

/** Figures that a worker has at any time. */
export interface WorkerFigures {
  run: string;
  /** Of the coordinator that it has joined. */
  term: () => number | undefined;
  /** Asks the compute thread, which may be busy. */
  memory: () => Promise<DeviceMemory | undefined>;
}

export interface WorkerMetrics extends Metrics {
  computed: (lease: ComputedLease) => void;
}

/** How long a scrape waits for a busy compute thread; after that it shows the previous figures. */
const memoryMs = 500;

/** A worker's metrics for Prometheus. */
export function createWorkerMetrics({ run, term, memory }: WorkerFigures): WorkerMetrics {
  const metrics = createMetrics(run);
  const { gauge, seconds } = metrics;
  const observe = seconds(
    'fourfold_lease_part_seconds',
    'Where the time of a lease goes: waiting for its batch, transferring parameters and gradient, computing.',
    { network: networks, part: leaseParts },
  );
  gauge('fourfold_term', 'Term of office of the coordinator.', [], term);
  gauge('fourfold_worker_joined', 'Whether this worker has joined a coordinator.', [], () =>
    Number(term() !== undefined),
  );
  addMemoryMetrics(metrics, memory);
  addCertificateMetrics(metrics);
  return {
    ...metrics,
    computed({ network, seconds }) {
      for (const part of leaseParts) observe({ network, part }, seconds[part]);
    },
  };
}

/** Metrics of a worker's waits for batches. */
export function addBatchWaitMetrics({ counter }: Metrics, batches: () => BatchWaits): void {
  const counts: [name: string, help: string, read: () => number][] = [
    ['batches', 'Leases that needed a batch.', () => batches().batches],
    ['batch_waits', 'Leases that had to wait for their batch.', () => batches().waits],
    ['batch_wait_seconds', 'Time that leases waited for their batches.', () => batches().waitedSeconds],
  ];
  for (const [name, help, read] of counts) counter(`fourfold_worker_${name}_total`, help, [], read);
}

function addMemoryMetrics({ gauge }: Metrics, memory: WorkerFigures['memory']): void {
  let newest: DeviceMemory | undefined;
  let asked: Promise<void> | undefined;
  const ask = async () => {
    newest = (await memory().catch(() => undefined)) ?? newest;
    asked = undefined;
  };
  const known = async (): Promise<DeviceMemory | undefined> => {
    asked ??= ask();
    await withDeadline(asked, memoryMs, () => undefined);
    return newest;
  };
  const figures: [name: string, help: string, read: (memory: DeviceMemory) => number | undefined][] = [
    ['tensor', 'Memory of the device in tensors of this worker.', ({ tensors }) => tensors],
    ['reserved', 'Memory of a GPU that this worker has taken for tensors.', ({ reserved }) => reserved],
    ['used', 'Memory of the device that all processes have taken.', ({ used }) => used],
    ['size', 'Memory of the device: of the GPU, the machine or the container.', ({ size }) => size],
  ];
  for (const [name, help, read] of figures) {
    gauge(`fourfold_device_memory_${name}_bytes`, help, [], async () => {
      const now = await known();
      return now && read(now);
    });
  }
}
