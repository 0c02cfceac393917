import { chosen, type DashboardOptions } from './panel.js';

/** The machines: workers, leases, time per update, bytes, memory. */
export const cluster: DashboardOptions = {
  name: 'cluster',
  title: 'fourfold: cluster',
  description: 'Workers, where an update’s time goes, bytes exchanged, and memory.',
  rows: [
    {
      title: 'Workers',
      panels: [
        {
          title: 'Workers',
          description:
            'Workers with a seat. If some are idle while updates wait, there are more workers than replicas.',
          unit: 'short',
          stacked: true,
          queries: [{ expr: `sum by (state) (fourfold_workers{${chosen}})`, legend: '{{state}}' }],
        },
        {
          title: 'Leases moved',
          description:
            'Moved: a worker was lost, or its result was rejected. Straggling: also given to an idle worker because the first is slow.',
          unit: 'short',
          queries: [
            { expr: `increase(fourfold_leases_moved_total{${chosen}}[$__rate_interval])`, legend: 'moved' },
            { expr: `increase(fourfold_leases_straggling_total{${chosen}}[$__rate_interval])`, legend: 'straggling' },
          ],
        },
        {
          title: 'Discarded results',
          description: 'Refused: too late, the token was no longer valid. Rejected: damaged or lost in transit.',
          unit: 'short',
          queries: [
            { expr: `increase(fourfold_results_refused_total{${chosen}}[$__rate_interval])`, legend: 'refused' },
            { expr: `increase(fourfold_results_rejected_total{${chosen}}[$__rate_interval])`, legend: 'rejected' },
          ],
        },
        {
          title: 'Workers joined and left',
          description: 'Totals of the current term’s coordinator.',
          unit: 'short',
          queries: [
            { expr: `fourfold_workers_joined_total{${chosen}}`, legend: 'joined' },
            { expr: `fourfold_workers_left_total{${chosen}}`, legend: 'left' },
            { expr: `fourfold_workers_refused_total{${chosen}}`, legend: 'refused' },
          ],
        },
      ],
    },
    {
      title: 'Time',
      panels: [
        {
          title: 'Where the coordinator’s time goes',
          description: 'Share of time, by part of an update: waiting for workers, transferring, reducing, applying.',
          unit: 'percentunit',
          stacked: true,
          queries: [
            {
              expr: `sum by (network, part) (rate(fourfold_update_part_seconds_sum{${chosen}}[$__rate_interval]))`,
              legend: '{{network}}, {{part}}',
            },
          ],
        },
        {
          title: 'Where the workers’ time goes',
          description:
            'Share of time, mean over workers, by part of a lease: waiting for its batch, transferring, computing.',
          unit: 'percentunit',
          stacked: true,
          queries: [
            {
              expr: `sum by (part) (rate(fourfold_lease_part_seconds_sum{${chosen}}[$__rate_interval])) / on () group_left () count(fourfold_worker_joined{${chosen}})`,
              legend: '{{part}}',
            },
          ],
        },
        {
          title: 'Waiting for data',
          description: 'Share of time that a worker waits for batches. Above a few percent, add data-loaders.',
          unit: 'percentunit',
          queries: [
            {
              expr: `rate(fourfold_worker_batch_wait_seconds_total{${chosen}}[$__rate_interval])`,
              legend: '{{instance}}',
            },
          ],
        },
        {
          title: 'Checkpoint time',
          description:
            'Copying delays updates; writing runs in parallel with them. Mean over this coordinator’s checkpoints.',
          unit: 's',
          queries: [
            {
              expr: `fourfold_checkpoint_seconds_sum{${chosen}} / (fourfold_checkpoint_seconds_count{${chosen}} > 0)`,
              legend: '{{part}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Bytes',
      panels: [
        {
          title: 'Parameters and gradients',
          description: 'By direction, kind and process; includes shared memory.',
          unit: 'Bps',
          queries: [
            {
              expr: `sum by (job, direction, kind, transport) (rate(fourfold_exchange_bytes_total{${chosen}}[$__rate_interval]))`,
              legend: '{{job}}: {{kind}} {{direction}}, {{transport}}',
            },
          ],
        },
        {
          title: 'Waiting along the chain',
          description:
            'Share of time that a process waits for sums or parameters from the worker before it: the eight longest. All behind a slow worker wait; the first of them names it.',
          unit: 'percentunit',
          queries: [
            {
              expr: `topk(8, rate(fourfold_hop_wait_seconds_total{${chosen}}[$__rate_interval]))`,
              legend: '{{instance}}: {{kind}} from {{peer}}',
            },
          ],
        },
        {
          title: 'Batches over NATS',
          description: 'Sent by data-loaders, received by workers.',
          unit: 'Bps',
          queries: [
            {
              expr: `sum by (direction) (rate(fourfold_batch_bytes_total{${chosen}}[$__rate_interval]))`,
              legend: '{{direction}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Memory',
      panels: [
        {
          title: 'Processes',
          description: 'Resident memory of each process.',
          unit: 'bytes',
          queries: [{ expr: `process_resident_memory_bytes{${chosen}}`, legend: '{{job}} {{instance}}' }],
        },
        {
          title: 'Tensors',
          description: 'Device memory in each worker’s tensors. It should stay level; if it grows, tensors leak.',
          unit: 'bytes',
          queries: [{ expr: `fourfold_device_memory_tensor_bytes{${chosen}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Devices',
          description:
            'Share of a device’s memory used by all processes: of each worker’s GPU, else of its machine or container.',
          unit: 'percentunit',
          queries: [
            {
              expr: `fourfold_device_memory_used_bytes{${chosen}} / fourfold_device_memory_size_bytes{${chosen}}`,
              legend: '{{instance}}',
            },
          ],
        },
      ],
    },
  ],
};
