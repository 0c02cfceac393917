import type { Readable, Writable } from 'node:stream';
import tar from 'tar-stream';
import { sampleInfoSchema, type SampleInfo } from '../prepare/manifest.js';

/** A sample as stored in a shard: members KEY.jpg or KEY.png and KEY.json, as WebDataset names them. */
export interface StoredSample {
  key: string;
  extension: 'jpg' | 'png';
  /** The encoded picture. */
  bytes: Uint8Array;
  info: SampleInfo;
}

const tarBlock = 512;

/** Bytes of a sample in a tar: two members, each with a header and padded to whole blocks. */
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

/** A sample's place in a shard's file. */
export interface SamplePlace extends Omit<StoredSample, 'bytes'> {
  /** Of the encoded picture. */
  offset: number;
  sizeBytes: number;
}

/** Where the samples of a tar lie, in its order. `body` streams all of it. */
export async function indexShard(body: Readable): Promise<SamplePlace[]> {
  const extract = tar.extract();
  body.pipe(extract as unknown as Writable);
  body.once('error', (error) => extract.destroy(error));
  const samples: SamplePlace[] = [];
  let picture: { name: string; offset: number; sizeBytes: number } | undefined;
  for await (const entry of extract) {
    const { name, size } = entry.header;
    if (!name.endsWith('.json')) {
      picture = { name, offset: entry.offset + tarBlock, sizeBytes: size };
      entry.resume();
    } else if (picture) {
      const { name: pictureName, ...place } = picture;
      const [key, extension] = pictureName.split('.');
      const info = sampleInfoSchema.parse(JSON.parse((await collect(entry)).toString('utf8')));
      samples.push({ key, extension: extension === 'jpg' ? 'jpg' : 'png', info, ...place });
    }
  }
  return samples;
}

async function collect(chunks: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) if (chunk instanceof Uint8Array) parts.push(chunk);
  return Buffer.concat(parts);
}
