import type { Metrics } from '@fourfold/common';
import type { BatchSourceStats } from './batch-source.js';
import type { DatasetManifest } from '../prepare/manifest.js';
import type { BatchRequestStats } from '../nats/ask-loaders.js';
import type { BatchServiceStats } from '../nats/batch-service.js';

type Counts = [name: string, help: string, read: () => number][];

/** Metrics of making batches from shards, in a data-loader or in a worker. */
export function addBatchSourceMetrics(
  { counter, gauge }: Metrics,
  { pictures, samples, leftOut }: DatasetManifest,
  stats: () => BatchSourceStats,
): void {
  const counts: Counts = [
    ['pictures_decoded', 'Pictures decoded.', () => stats().pictures.loads - stats().pictures.failed],
    ['pictures_damaged', 'Pictures that could not be read or decoded.', () => stats().pictures.failed],
    ['picture_cache_hits', 'Pictures found decoded in the cache.', () => stats().pictures.hits],
    ['shards_opened', 'Shards fetched or verified, and opened.', () => stats().shards.loads],
    ['crops', 'Training pairs made.', () => stats().crops],
  ];
  for (const [name, help, read] of counts) counter(`fourfold_${name}_total`, help, [], read);
  gauge('fourfold_picture_cache_bytes', 'Decoded pictures in the cache.', [], () => stats().pictures.held);
  gauge('fourfold_shards_open', 'Shards held open.', [], () => stats().shards.held);
  gauge('fourfold_dataset_samples', 'Stored pictures of the dataset; each tile counts.', [], () => samples);
  gauge('fourfold_dataset_pictures', 'Photographs taken into the dataset, and left out.', ['outcome'], () => [
    [{ outcome: 'taken' }, pictures],
    ...(leftOut === undefined ? [] : [[{ outcome: 'left_out' }, leftOut] as const]),
  ]);
}

/** Metrics of a data-loader's service. */
export function addBatchServiceMetrics({ counter, gauge }: Metrics, stats: () => BatchServiceStats | undefined): void {
  counter('fourfold_batch_requests_total', 'Requests for batches received.', [], () => stats()?.requests);
  counter('fourfold_batch_answers_total', 'Answers: batches, `busy`, and errors.', ['outcome'], () => {
    const now = stats();
    return (
      now && [
        [{ outcome: 'batch' }, now.answered],
        [{ outcome: 'busy' }, now.busy],
        [{ outcome: 'failed' }, now.failed],
      ]
    );
  });
  counter('fourfold_batch_bytes_total', bytesHelp, ['direction'], () => [[{ direction: 'sent' }, stats()?.bytes ?? 0]]);
  gauge('fourfold_batch_requests_waiting', 'Requests waiting or being answered.', [], () => stats()?.waiting);
}

/** Metrics of a worker that asks data-loaders. */
export function addBatchRequestMetrics({ counter }: Metrics, stats: () => BatchRequestStats): void {
  const counts: Counts = [
    ['batches_received', 'Batches received from data-loaders.', () => stats().received],
    ['batch_requests_moved', 'Requests moved to another data-loader.', () => stats().moved],
    ['batch_requests_late', 'Requests that a data-loader did not answer in time.', () => stats().late],
    ['batch_replies_refused', 'Answers that were not the batch asked for.', () => stats().refusedReplies],
  ];
  for (const [name, help, read] of counts) counter(`fourfold_${name}_total`, help, [], read);
  counter('fourfold_batch_bytes_total', bytesHelp, ['direction'], () => [[{ direction: 'received' }, stats().bytes]]);
}

const bytesHelp = 'Bytes of batches over NATS.';
