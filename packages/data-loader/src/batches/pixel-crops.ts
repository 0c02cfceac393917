import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Rectangle } from '@fourfold/imaging';
import { createAsyncCache } from '../shards/async-cache.js';
import type { PixelPlace } from '../shards/pixel-index.js';
import { openPixelShard, type PixelShard } from '../shards/pixel-shard.js';
import { createShardCache } from '../shards/shard-cache.js';
import { cropCutter } from './crop-cutter.js';
import {
  cropPlace,
  cutPairWithin,
  surroundingsOf,
  type CropPlace,
  type PairShape,
  type PairTarget,
} from './crop-pair.js';
import type { Crops, CropsOptions } from './crops.js';
import { createStages, type Stages } from './stages.js';

/** Pixels are read at once, without a turn of the event loop; after this long, other work gets one. */
const longestTurnMs = 10;

const noPictures = { loads: 0, failed: 0, hits: 0, held: 0 };

/** Pairs of a dataset of pixels: the rows of each crop are read from its shard, HR and LR. Nothing is decoded, and nothing but files held. */
export function createPixelCrops({ store, manifest, data, seed, openShards }: CropsOptions): Crops {
  const cache = createShardCache(data);
  const stages = createStages();
  const shards = createAsyncCache({
    load: (index) => stages.timed('opening', openPixelShard({ store, manifest, index: Number(index), cache })),
    sizeOf: () => 1,
    dispose: (shard) => void shard.close(),
    limit: openShards,
  });
  /** Act on an open shard; one whose file has changed is opened, and so verified, again. */
  const useShard = async (key: string, act: (shard: PixelShard) => Promise<void>) => {
    const isDone = await shards.use(key, async (shard) => {
      if (shard.hasChanged()) return false;
      await act(shard);
      return true;
    });
    if (isDone) return;
    shards.forgetWhere((held) => held === key);
    await shards.use(key, act);
  };
  const readPair = data.blurSigma > 0 ? readBlurredPair : readStoredPair;
  return {
    async fill(keys, targets) {
      const byShard = new Map<number, number[]>();
      keys.forEach(({ shard }, i) => byShard.set(shard, [...(byShard.get(shard) ?? []), i]));
      let turnBegunMs = performance.now();
      const filled = [...byShard].map(([index, ofShard]) =>
        useShard(String(index), async (shard) => {
          for (const i of ofShard) {
            if (performance.now() - turnBegunMs > longestTurnMs) {
              await nextTurn();
              turnBegunMs = performance.now();
            }
            const sample = shard.place(keys[i].sample);
            readPair(
              { shard, sample, place: cropPlace(seed, keys[i], sample.core, data), shape: data },
              targets[i],
              stages,
            );
          }
        }),
      );
      await Promise.all(filled);
    },
    stats: () => ({ shards: shards.stats(), pictures: noPictures, seconds: stages.seconds() }),
    clear: () => shards.clear(),
  };
}

/** A crop of a sample. */
interface Crop {
  shard: PixelShard;
  sample: PixelPlace;
  place: CropPlace;
  shape: PairShape;
}

function readStoredPair(crop: Crop, { hr, lr }: PairTarget, stages: Stages): void {
  const { left, top } = crop.place;
  const side = crop.shape.crop;
  readSquare(crop, 'hr', { left, top, width: side, height: side }, hr, stages);
  readSquare(crop, 'lr', { left: left / 4, top: top / 4, width: side / 4, height: side / 4 }, lr, stages);
}

function readSquare(
  { shard, sample, place }: Crop,
  picture: 'hr' | 'lr',
  region: Rectangle,
  target: Uint8Array,
  { spend }: Stages,
): void {
  const { rows, cut } = cropCutter();
  const begunMs = performance.now();
  const strideBytes = shard.read(picture, sample, region, rows);
  const readMs = spend('reading', begunMs);
  cut({ begin: 0, strideBytes, side: region.width }, place, target);
  spend('cutting', readMs);
}

/** The stored LR is not blurred: it is made of the HR around the crop. */
function readBlurredPair({ shard, sample, place, shape }: Crop, target: PairTarget, { spend }: Stages): void {
  const region = surroundingsOf(place, shape, sample);
  const { width, height } = region;
  const begunMs = performance.now();
  let read = new Uint8Array();
  const strideBytes = shard.read('hr', sample, region, (sizeBytes) => (read = new Uint8Array(sizeBytes)));
  const readMs = spend('reading', begunMs);
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    pixels.set(read.subarray(y * strideBytes, y * strideBytes + width * 3), y * width * 3);
  }
  cutPairWithin({ data: pixels, width, height }, region, place, shape, target);
  spend('cutting', readMs);
}
