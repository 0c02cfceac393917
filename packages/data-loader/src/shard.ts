import tar from 'tar-stream';
import { FourfoldError, getVerified, type ObjectStore } from '@fourfold/common';
import { sampleInfoSchema, type DatasetShard, type SampleInfo } from './manifest.js';

/** A sample as it lies in a shard: members KEY.jpg or KEY.png and KEY.json, as WebDataset names them. */
export interface StoredSample {
  key: string;
  extension: 'jpg' | 'png';
  /** The encoded picture. */
  bytes: Uint8Array;
  info: SampleInfo;
}

const tarBlock = 512;

/** What a sample takes in a tar: two members, each with a header and filled up to whole blocks. */
export function sizeInShard({ bytes, info }: StoredSample): number {
  const filled = (size: number) => tarBlock * Math.ceil(size / tarBlock);
  return 2 * tarBlock + filled(bytes.length) + filled(Buffer.byteLength(JSON.stringify(info)));
}

/** Pack samples into a tar whose bytes depend on nothing else: no times, no owners. */
export async function packShard(samples: StoredSample[]): Promise<Buffer> {
  const pack = tar.pack();
  const header = (name: string) => ({ name, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 });
  for (const { key, extension, bytes, info } of samples) {
    pack.entry(header(`${key}.${extension}`), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    pack.entry(header(`${key}.json`), JSON.stringify(info));
  }
  pack.finalize();
  return collect(pack);
}

/** Fetch a shard, check it against its SHA-256 and take it apart. Throws `corrupt`, naming the shard. */
export async function fetchShard(store: ObjectStore, shard: DatasetShard): Promise<StoredSample[]> {
  const samples = await unpackShard(await getVerified(store, shard.file, shard.sha256));
  if (samples.length !== shard.samples) {
    const numbers = `${samples.length} samples, the manifest says ${shard.samples}`;
    throw new FourfoldError('corrupt', `${store.url}/${shard.file}: it has ${numbers}`);
  }
  return samples;
}

async function unpackShard(body: Buffer): Promise<StoredSample[]> {
  const extract = tar.extract();
  extract.end(body);
  const samples: StoredSample[] = [];
  let picture: { name: string; bytes: Buffer } | undefined;
  for await (const entry of extract) {
    const { name } = entry.header;
    const bytes = await collect(entry);
    if (!name.endsWith('.json')) {
      picture = { name, bytes };
    } else if (picture) {
      const [key, extension] = picture.name.split('.');
      const info = sampleInfoSchema.parse(JSON.parse(bytes.toString('utf8')));
      samples.push({ key, extension: extension === 'jpg' ? 'jpg' : 'png', bytes: picture.bytes, info });
    }
  }
  return samples;
}

async function collect(chunks: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) if (chunk instanceof Uint8Array) parts.push(chunk);
  return Buffer.concat(parts);
}
