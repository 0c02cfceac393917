import { FourfoldError } from '@fourfold/common';
import { decodePlain, type Picture } from '@fourfold/imaging';
import type { SampleInfo } from '../prepare/manifest.js';
import { createAsyncCache } from '../shards/async-cache.js';
import { openKeptShard } from '../shards/kept-shard.js';
import { createShardCache } from '../shards/shard-cache.js';
import { cropPlace, cutPair } from './crop-pair.js';
import type { Crops, CropsOptions } from './crops.js';
import { createStages } from './stages.js';

/** Limit of the cache of decoded pictures, in bytes; a window of 500 pictures of 400x400 fits. */
const pictureCacheBytes = 256 * 2 ** 20;

/** Pairs of a dataset of encoded pictures: each picture is decoded, and held decoded while there is room. */
export function createKeptCrops({ store, manifest, data, seed, openShards }: CropsOptions): Crops {
  const shardCache = createShardCache(data);
  const { timed, spend, seconds } = createStages();
  const shards = createAsyncCache({
    load: (index) => timed('opening', openKeptShard(store, manifest.shards[Number(index)], shardCache)),
    sizeOf: () => 1,
    dispose: (shard) => void shard.close(),
    limit: openShards,
  });
  const pictures = createAsyncCache({
    load: async (key) => {
      const [shard, sample] = key.split('/').map(Number);
      const { key: name, bytes, info } = await shards.use(String(shard), (open) => timed('reading', open.read(sample)));
      const title = `${store.url}/${manifest.shards[shard].file}, ${name}`;
      return { info, picture: await timed('decoding', decodeStored(bytes, title)) };
    },
    sizeOf: ({ picture }: { info: SampleInfo; picture: Picture }) => picture.data.length,
    limit: pictureCacheBytes,
  });
  return {
    async fill(keys, targets) {
      await Promise.all(
        keys.map(async (key, i) => {
          const { info, picture } = await pictures.get(`${key.shard}/${key.sample}`);
          const begunMs = performance.now();
          cutPair(picture, cropPlace(seed, key, info.core, data), data, targets[i]);
          spend('cutting', begunMs);
        }),
      );
    },
    stats: () => ({ shards: shards.stats(), pictures: pictures.stats(), seconds: seconds() }),
    clear() {
      shards.clear();
      pictures.clear();
    },
  };
}

async function decodeStored(bytes: Uint8Array, name: string): Promise<Picture> {
  return decodePlain(bytes).catch((cause: unknown) => {
    throw new FourfoldError('corrupt', `${name}: it cannot be decoded`, { cause });
  });
}
