import { chosen, type DashboardOptions } from './panel.js';

/** The data path: pictures decoded, left out and cached, and batches. */
export const data: DashboardOptions = {
  name: 'data',
  title: 'fourfold: data',
  description: 'Pictures decoded, left out and cached, and the batches made from them.',
  rows: [
    {
      title: 'Dataset',
      panels: [
        {
          title: 'Photographs',
          description: 'Photographs that prepare stored in the dataset or left out.',
          unit: 'short',
          stat: true,
          columns: 8,
          queries: [{ expr: `max by (outcome) (fourfold_dataset_pictures{${chosen}})`, legend: '{{outcome}}' }],
        },
        {
          title: 'Stored pictures',
          description: 'Each tile counts as one.',
          unit: 'short',
          stat: true,
          columns: 8,
          queries: [{ expr: `max(fourfold_dataset_samples{${chosen}})`, legend: 'stored pictures' }],
        },
        {
          title: 'Damaged',
          description: 'Pictures that could not be read or decoded. If it is not 0, shards are damaged.',
          unit: 'short',
          stat: true,
          columns: 8,
          queries: [{ expr: `sum(fourfold_pictures_damaged_total{${chosen}})`, legend: 'damaged' }],
        },
      ],
    },
    {
      title: 'Pictures',
      panels: [
        {
          title: 'Pictures per second',
          description: 'Decoded, and found decoded in the cache.',
          unit: 'short',
          queries: [
            { expr: `sum(rate(fourfold_pictures_decoded_total{${chosen}}[$__rate_interval]))`, legend: 'decoded' },
            {
              expr: `sum(rate(fourfold_picture_cache_hits_total{${chosen}}[$__rate_interval]))`,
              legend: 'from the cache',
            },
          ],
        },
        {
          title: 'Cache of decoded pictures',
          description: 'Memory of the cache of each data-loader, and of each worker that makes its own batches.',
          unit: 'bytes',
          queries: [{ expr: `fourfold_picture_cache_bytes{${chosen}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Open shards',
          description: 'Files held open by each process.',
          unit: 'short',
          queries: [{ expr: `fourfold_shards_open{${chosen}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Training pairs per second',
          description: 'Crops that data-loaders make.',
          unit: 'short',
          queries: [{ expr: `sum(rate(fourfold_crops_total{${chosen}}[$__rate_interval]))`, legend: 'pairs' }],
        },
      ],
    },
    {
      title: 'Batches',
      panels: [
        {
          title: 'Answers per second',
          description: 'Busy: the data-loader was at its limit, and the worker asked another one.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (outcome) (rate(fourfold_batch_answers_total{${chosen}}[$__rate_interval]))`,
              legend: '{{outcome}}',
            },
          ],
        },
        {
          title: 'Waiting requests',
          description: 'At each data-loader, including those being answered.',
          unit: 'short',
          queries: [{ expr: `fourfold_batch_requests_waiting{${chosen}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Requests not answered in time',
          description: 'Late: the data-loader did not answer. Moved: the worker switched to another one.',
          unit: 'short',
          queries: [
            {
              expr: `sum(increase(fourfold_batch_requests_late_total{${chosen}}[$__rate_interval]))`,
              legend: 'late',
            },
            {
              expr: `sum(increase(fourfold_batch_requests_moved_total{${chosen}}[$__rate_interval]))`,
              legend: 'moved',
            },
          ],
        },
      ],
    },
  ],
};
