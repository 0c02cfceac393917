import { FourfoldError } from '@fourfold/common';
import { decodePlain, inflateRegion, readPlainPng, type Picture } from '@fourfold/imaging';
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
 * Pairs of a dataset of encoded pictures: each picture is decoded, and held decoded while there is room. Tiles that would be gone before
 * they are needed again are decoded only as far as a crop needs.
 */
export function createKeptCrops(options: CropsOptions): Crops {
  const { manifest, data, seed, pictureCacheBytes } = options;
  const { timed, spend, seconds } = createStages();
  const { shards, read } = createSampleReader(options, timed);
  // Tiles are PNGs of ours; other files' rows are filtered, and would be inflated in vain.
  const decode = manifest.tile ? decodeTile : decodeAny;
  const pictures = createAsyncCache({
    load: async (key) => {
      const [shard, sample] = key.split('/').map(Number);
      const { bytes, info, title } = await read(shard, sample);
      return { info, picture: await timed('decoding', decode(bytes, title)) };
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
  /** False if the picture cannot be decoded in part. */
  const fillFromPart = async (key: CropKey, target: PairTarget): Promise<boolean> => {
    const { bytes, info, title } = await read(key.shard, key.sample);
    const png = readPlainPng(bytes);
    if (!png) return false;
    const place = cropPlace(seed, key, info.core, data);
    const region = surroundingsOf(place, data, png);
    const part = await timed('decoding', inflateRegion(png, region)).catch(undecodable(title));
    if (!part) return false;
    partsDecoded++;
    const begunMs = performance.now();
    cutPairWithin(part, region, place, data, target);
    spend('cutting', begunMs);
    return true;
  };
  const prefersParts = data.cropsPerPicture === 1 && tileBytes(manifest) > pictureCacheBytes;
  return {
    async fill(keys, targets) {
      await Promise.all(
        keys.map(async (key, i) => {
          if (prefersParts && (await fillFromPart(key, targets[i]))) return;
          await fillFromWhole(key, targets[i]);
        }),
      );
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

/** About the bytes of a dataset's decoded tiles, without their margins; 0 if it is not cut into tiles. */
const tileBytes = ({ tile, samples }: DatasetManifest): number => (tile ? 3 * samples * tile.size * tile.size : 0);

async function decodeTile(bytes: Uint8Array, title: string): Promise<Picture> {
  const png = readPlainPng(bytes);
  const whole = png && inflateRegion(png, { left: 0, top: 0, width: png.width, height: png.height });
  return (await whole?.catch(undecodable(title))) ?? decodeAny(bytes, title);
}

const decodeAny = (bytes: Uint8Array, title: string): Promise<Picture> => decodePlain(bytes).catch(undecodable(title));

const undecodable = (title: string) => (cause: unknown) => {
  throw new FourfoldError('corrupt', `${title}: it cannot be decoded`, { cause });
};
