import { chosen, type DashboardOptions } from './panel.js';

/** What the machines do: workers, leases, the time of updates, bytes, memory. */
export const cluster: DashboardOptions = {
  name: 'cluster',
  title: 'fourfold: cluster',
  description: 'Who works, where an update’s time goes, what crosses the network, and what memory it takes.',
  rows: [
    {
      title: 'Workers',
      panels: [
        {
          title: 'Workers',
          description: 'Those that have a seat. Idle ones while updates wait: there are more workers than replicas.',
          unit: 'short',
          stacked: true,
          queries: [{ expr: `sum by (state) (fourfold_workers{${chosen}})`, legend: '{{state}}' }],
        },
        {
          title: 'Leases moved',
          description:
            'Moved: a worker was lost, or its result was of no use. Straggling: given to an idle worker, too, since the first is slow.',
          unit: 'short',
          queries: [
            { expr: `increase(fourfold_leases_moved_total{${chosen}}[$__rate_interval])`, legend: 'moved' },
            { expr: `increase(fourfold_leases_straggling_total{${chosen}}[$__rate_interval])`, legend: 'straggling' },
          ],
        },
        {
          title: 'Results of no use',
          description: 'Refused: too late, the token was no longer valid. Rejected: damaged, or lost on the way.',
          unit: 'short',
          queries: [
            { expr: `increase(fourfold_results_refused_total{${chosen}}[$__rate_interval])`, legend: 'refused' },
            { expr: `increase(fourfold_results_rejected_total{${chosen}}[$__rate_interval])`, legend: 'rejected' },
          ],
        },
        {
          title: 'Workers that came and went',
          description: 'Totals of this term’s coordinator.',
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
          description:
            'Seconds of each second, by part of an update: waiting for workers, transferring, reducing, applying.',
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
            'Mean over workers of seconds of each second, by part of a lease: waiting for its batch, transferring, computing.',
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
          description: 'Share of its time in which a worker waits for a batch. Above a few percent: more data-loaders.',
          unit: 'percentunit',
          queries: [
            {
              expr: `rate(fourfold_worker_batch_wait_seconds_total{${chosen}}[$__rate_interval])`,
              legend: '{{instance}}',
            },
          ],
        },
        {
          title: 'Time of a checkpoint',
          description:
            'Copying holds updates up, writing goes on beside them. Mean over this coordinator’s checkpoints.',
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
          description: 'By direction, kind and process; what goes through shared memory is among them.',
          unit: 'Bps',
          queries: [
            {
              expr: `sum by (job, direction, kind, transport) (rate(fourfold_exchange_bytes_total{${chosen}}[$__rate_interval]))`,
              legend: '{{job}}: {{kind}} {{direction}}, {{transport}}',
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
          description: 'Resident memory of each.',
          unit: 'bytes',
          queries: [{ expr: `process_resident_memory_bytes{${chosen}}`, legend: '{{job}} {{instance}}' }],
        },
        {
          title: 'Tensors',
          description: 'Memory of the device in tensors of each worker. It stays level; if it grows, tensors are lost.',
          unit: 'bytes',
          queries: [{ expr: `fourfold_device_memory_tensor_bytes{${chosen}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Devices',
          description:
            'Share of a device’s memory that all processes have taken: of each worker’s GPU, else of its machine or container.',
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
