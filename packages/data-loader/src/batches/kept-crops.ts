import { FourfoldError } from '@fourfold/common';
import { decodePlain, inflateRegion, readPlainPng, type Picture, type Rectangle } from '@fourfold/imaging';
import type { DatasetManifest, SampleInfo } from '../prepare/manifest.js';
import { createAsyncCache } from '../shards/async-cache.js';
import { openKeptShard } from '../shards/kept-shard.js';
import { createShardCache } from '../shards/shard-cache.js';
import type { StoredSample } from '../shards/shard.js';
import { cropPlace, cutPair, cutPairWithin, surroundingsOf, type PairTarget } from './crop-pair.js';
import type { Crops, CropsOptions } from './crops.js';
import type { CropKey } from './sample-order.js';
import { createStages, type Stages } from './stages.js';

/**
 * Pairs of a dataset of encoded pictures: each picture is decoded, and held decoded while there is room. Pictures that would be gone before
 * they are needed again are decoded only as far as a crop needs.
 */
export function createKeptCrops(options: CropsOptions): Crops {
  const { manifest, data, seed, pictureCacheBytes } = options;
  const { timed, spend, seconds } = createStages();
  const { shards, read } = createSampleReader(options, timed);
  // Other files' rows are filtered, and would be inflated in vain.
  const decode = manifest.tile ? decodeTile : decodePlain;
  const pictures = createAsyncCache({
    load: async (key) => {
      const [shard, sample] = key.split('/').map(Number);
      const { bytes, info, title } = await read(shard, sample);
      const whole = { ...info.place, left: 0, top: 0 };
      const picture = await timed('decoding', decode(bytes, whole)).catch(undecodable(title));
      return { info, picture };
    },
    sizeOf: ({ picture }: { info: SampleInfo; picture: Picture }) => picture.data.length,
    limit: pictureCacheBytes,
  });
  const fillFromWhole = async (key: CropKey, target: PairTarget) => {
    const { info, picture } = await pictures.get(`${key.shard}/${key.sample}`);
    const begunMs = performance.now();
    cutPair(picture, cropPlace(seed, key, info.core, data), data, target);
    spend('cutting', begunMs);
  };
  let partsDecoded = 0;
  const fillFromPart = async (key: CropKey, target: PairTarget) => {
    const { bytes, info, title } = await read(key.shard, key.sample);
    const place = cropPlace(seed, key, info.core, data);
    const region = surroundingsOf(place, data, info.place);
    const part = await timed('decoding', decode(bytes, region)).catch(undecodable(title));
    partsDecoded++;
    const begunMs = performance.now();
    cutPairWithin(part, region, place, data, target);
    spend('cutting', begunMs);
  };
  const isUsedOnce = data.cropsPerPicture === 1 && decodedBytes(manifest) > pictureCacheBytes;
  const fill = isUsedOnce ? fillFromPart : fillFromWhole;
  return {
    async fill(keys, targets) {
      await Promise.all(keys.map((key, i) => fill(key, targets[i])));
    },
    stats() {
      const whole = pictures.stats();
      return { shards: shards.stats(), pictures: { ...whole, loads: whole.loads + partsDecoded }, seconds: seconds() };
    },
    clear() {
      shards.clear();
      pictures.clear();
    },
  };
}

/** Reads encoded pictures from shards, which are held open. */
function createSampleReader({ store, manifest, data, openShards }: CropsOptions, timed: Stages['timed']) {
  const cache = createShardCache(data);
  const shards = createAsyncCache({
    load: (index) => timed('opening', openKeptShard(store, manifest.shards[Number(index)], cache)),
    sizeOf: () => 1,
    dispose: (shard) => void shard.close(),
    limit: openShards,
  });
  return {
    shards,
    async read(this: void, shard: number, sample: number): Promise<StoredSample & { title: string }> {
      const stored = await shards.use(String(shard), (open) => timed('reading', open.read(sample)));
      return { ...stored, title: `${store.url}/${manifest.shards[shard].file}, ${stored.key}` };
    },
  };
}

/** About the bytes of a dataset's decoded pictures: of tiles without their margins, of others at least. */
function decodedBytes({ tile, samples, shards }: DatasetManifest): number {
  if (tile) return 3 * samples * tile.size * tile.size;
  // Even a lossless photograph has about this many bytes for each that is stored.
  return 1.5 * shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** Decode a region of a tile, which is a PNG of ours, or of a photograph that is smaller than tiles. */
async function decodeTile(bytes: Uint8Array, region: Rectangle): Promise<Picture> {
  const png = readPlainPng(bytes);
  return (png && (await inflateRegion(png, region))) ?? decodePlain(bytes, region);
}

const undecodable = (title: string) => (cause: unknown) => {
  throw new FourfoldError('corrupt', `${title}: it cannot be decoded`, { cause });
};
