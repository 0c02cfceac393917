import { FourfoldError, sha256 } from '@fourfold/common';
import type { OutputFolder } from '@fourfold/store';
import type { DatasetShard } from './manifest.js';
import { packShard, sizeInShard, type PackedSample } from '../shards/shard.js';

/** Gathers samples into shards of bounded size; holds one shard at a time. */
export interface ShardWriter {
  add(sample: Omit<PackedSample, 'key'>): Promise<void>;
  /** Write the samples that are left. */
  finish(): Promise<void>;
}

export interface ShardWriterOptions {
  shardSizeBytes: number;
  /** The shards written so far, to which the writer adds its own. */
  shards: DatasetShard[];
  /** Called after a shard is written, before the sample that did not fit is added. */
  onShard: () => Promise<void>;
}

/** What the files of a shard are called before their first dot. */
export const shardName = (index: number): string => `shard-${String(index).padStart(6, '0')}`;

/** Pixels in a shard. A shard is packed in memory, which holds it about three times. */
const largestPixelBytes = 2 ** 30;

/**
 * Writes `shard-000000.tar` and so on, each of at most `shardSizeBytes` or a single larger sample. Shards of pixels are larger: they hold
 * the samples that a shard of encoded pictures would, since the order of training depends on which samples share a shard. Throws `invalid`
 * for a shard of more than 1 GiB of pixels, as flat pictures, which compress well, would make.
 */
export function createShardWriter(out: Pick<OutputFolder, 'put'>, options: ShardWriterOptions): ShardWriter {
  const { shards, shardSizeBytes, onShard } = options;
  let waiting: PackedSample[] = [];
  let waitingBytes = 0;
  let waitingPixelBytes = 0;
  let samples = shards.reduce((sum, shard) => sum + shard.samples, 0);
  const nextFile = () => `${shardName(shards.length)}.tar`;
  const flush = async () => {
    const { body, index } = await packShard(waiting);
    const file = nextFile();
    await out.put(file, body);
    shards.push({ file, sizeBytes: body.length, sha256: sha256(body), samples: waiting.length, index });
    waiting = [];
    waitingBytes = 0;
    waitingPixelBytes = 0;
    await onShard();
  };
  return {
    async add(sample) {
      const keyed = { key: String(samples).padStart(9, '0'), ...sample };
      const size = sizeInShard(keyed);
      if (waiting.length > 0 && waitingBytes + size + tarEnd > shardSizeBytes) await flush();
      samples++;
      waiting.push(keyed);
      waitingBytes += size;
      waitingPixelBytes += pixelBytesOf(sample);
      if (waitingPixelBytes > largestPixelBytes) throw tooManyPixels(nextFile(), waiting.length);
    },
    async finish() {
      if (waiting.length > 0) await flush();
    },
  };
}

const pixelBytesOf = ({ pixels }: Pick<PackedSample, 'pixels'>): number =>
  pixels ? pixels.hr.data.length + pixels.lr.data.length : 0;

function tooManyPixels(file: string, samples: number): FourfoldError {
  const reason = `its ${samples} pictures compress so well that it would hold more than 1 GiB of pixels`;
  return new FourfoldError('invalid', `${file}: ${reason}`, {
    hint: 'use --encoding keep, or leave flat pictures out',
  });
}

/** Two empty blocks close a tar. */
const tarEnd = 1024;
