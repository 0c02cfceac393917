import { permutation, randomStream } from '@fourfold/common';

/** One use of one sample. */
export interface CropKey {
  epoch: number;
  /** Index of the shard in the manifest. */
  shard: number;
  /** Index of the sample in its shard. */
  sample: number;
  /** Which of the epoch's crops of this sample it is, 0 .. cropsPerPicture - 1. */
  repeat: number;
}

/** The endless sequence of crops that a run trains on, by position. */
export interface SampleOrder {
  at(position: number): CropKey;
}

export interface SampleOrderOptions {
  seed: number;
  /** Number of samples of each shard. */
  shardSamples: number[];
  windowPictures: number;
  cropsPerPicture: number;
}

/**
 * The order of crops: a pure function of its options and the position. In every epoch the shards are shuffled and their
 * samples laid end to end; each window of `windowPictures` of them is shuffled together with its repeats, so that every
 * sample comes `cropsPerPicture` times an epoch and only a window's shards are in use at a time. Only the orders of the epochs
 * and windows used last are held.
 */
export function createSampleOrder(options: SampleOrderOptions): SampleOrder {
  const { seed, shardSamples, windowPictures, cropsPerPicture } = options;
  const samples = shardSamples.reduce((a, b) => a + b, 0);
  const epochOf = keepLast((epoch: number) => {
    const shards = permutation(shardSamples.length, randomStream('shards', seed, epoch));
    const ends = new Float64Array(shards.length);
    shards.forEach((shard, i) => (ends[i] = (i > 0 ? ends[i - 1] : 0) + shardSamples[shard]));
    return { shards, ends };
  });
  const windowsAnEpoch = Math.ceil(samples / windowPictures);
  const windowOf = keepLast((serial: number) => {
    const window = serial % windowsAnEpoch;
    const pictures = Math.min(windowPictures, samples - window * windowPictures);
    const random = randomStream('window', seed, Math.floor(serial / windowsAnEpoch), window);
    return { pictures, order: permutation(pictures * cropsPerPicture, random) };
  });
  return {
    at(position) {
      const epoch = Math.floor(position / (samples * cropsPerPicture));
      const inEpoch = position % (samples * cropsPerPicture);
      const window = Math.floor(inEpoch / (windowPictures * cropsPerPicture));
      const { pictures, order } = windowOf(epoch * windowsAnEpoch + window);
      const drawn = order[inEpoch % (windowPictures * cropsPerPicture)];
      const place = window * windowPictures + (drawn % pictures);
      const { shards, ends } = epochOf(epoch);
      const slot = firstAbove(ends, place);
      const sample = place - (slot > 0 ? ends[slot - 1] : 0);
      return { epoch, shard: shards[slot], sample, repeat: Math.floor(drawn / pictures) };
    },
  };
}

/** The positions of a replica's crops at an iteration: replicas share the global batch in their order. */
export function replicaPositions(
  { globalBatch, replicas }: { globalBatch: number; replicas: number },
  iteration: number,
  replica: number,
): number[] {
  const count = globalBatch / replicas;
  const first = iteration * globalBatch + replica * count;
  return Array.from({ length: count }, (_, i) => first + i);
}

/** The most shards that `windowPictures` samples in a row can touch, whatever the order of the shards. */
export function shardsInWindow(shardSamples: number[], windowPictures: number): number {
  const ascending = [...shardSamples].sort((a, b) => a - b);
  let inside = 0;
  let shards = 0;
  while (shards < ascending.length && inside + ascending[shards] <= windowPictures - 2) inside += ascending[shards++];
  return Math.min(ascending.length, shards + 2);
}

/** Index of the first end that lies above `place`; ends ascend. */
function firstAbove(ends: Float64Array, place: number): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle] > place) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Enough for batches requested ahead across a border and for a replica that is recomputed. */
const kept = 4;

/** Remember the values of the few keys used last. */
function keepLast<V>(make: (key: number) => V): (key: number) => V {
  const values = new Map<number, V>();
  return (key) => {
    const value = values.get(key) ?? make(key);
    values.delete(key);
    values.set(key, value);
    for (const oldest of values.keys()) {
      if (values.size <= kept) break;
      values.delete(oldest);
    }
    return value;
  };
}
