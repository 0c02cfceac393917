import { createAsyncCache } from '../shards/async-cache.js';
import type { PixelPlace } from '../shards/pixel-index.js';
import { openPixelShard, type PixelShard } from '../shards/pixel-shard.js';
import { createShardCache } from '../shards/shard-cache.js';
import { cropCutter } from './crop-cutter.js';
import { cropPlace, cutPairWithin, surroundingsOf, type CropPlace, type PairTarget } from './crop-pair.js';
import type { Crops, CropsOptions } from './crops.js';

const noPictures = { loads: 0, failed: 0, hits: 0, held: 0 };

/** Pairs of a dataset of pixels: the rows of each crop are read from its shard, HR and LR. Nothing is decoded, and nothing but files held. */
export function createPixelCrops({ store, manifest, data, seed, openShards }: CropsOptions): Crops {
  const cache = createShardCache(data);
  const shards = createAsyncCache({
    load: (index) => openPixelShard({ store, manifest, index: Number(index), cache }),
    sizeOf: () => 1,
    dispose: (shard) => void shard.close(),
    limit: openShards,
  });
  const readPair = (shard: PixelShard, sample: PixelPlace, place: CropPlace, target: PairTarget) => {
    if (data.blurSigma > 0) return readBlurredPair(shard, sample, place, target);
    readSquare(shard, sample, 'hr', place, target.hr);
    readSquare(shard, sample, 'lr', place, target.lr);
  };
  const readSquare = (
    shard: PixelShard,
    sample: PixelPlace,
    picture: 'hr' | 'lr',
    place: CropPlace,
    target: Uint8Array,
  ) => {
    const { rows, cut } = cropCutter();
    const by = picture === 'hr' ? 1 : 4;
    const side = data.crop / by;
    const region = { left: place.left / by, top: place.top / by, width: side, height: side };
    const strideBytes = shard.read(picture, sample, region, rows);
    cut({ begin: 0, strideBytes, side }, place, target);
  };
  /** The stored LR is not blurred: it is made of the HR around the crop. */
  const readBlurredPair = (shard: PixelShard, sample: PixelPlace, place: CropPlace, target: PairTarget) => {
    const region = surroundingsOf(place, data, sample);
    const { width, height } = region;
    let read = new Uint8Array();
    const strideBytes = shard.read('hr', sample, region, (sizeBytes) => (read = new Uint8Array(sizeBytes)));
    const pixels = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++) {
      pixels.set(read.subarray(y * strideBytes, y * strideBytes + width * 3), y * width * 3);
    }
    cutPairWithin({ data: pixels, width, height }, region, place, data, target);
  };
  return {
    async fill(keys, targets) {
      const byShard = new Map<number, number[]>();
      keys.forEach(({ shard }, i) => byShard.set(shard, [...(byShard.get(shard) ?? []), i]));
      const filled = [...byShard].map(([index, ofShard]) =>
        shards.use(String(index), async (shard) => {
          for (const i of ofShard) {
            const sample = shard.place(keys[i].sample);
            readPair(shard, sample, cropPlace(seed, keys[i], sample.core, data), targets[i]);
          }
        }),
      );
      await Promise.all(filled);
    },
    stats: () => ({ shards: shards.stats(), pictures: noPictures }),
    clear: () => shards.clear(),
  };
}
