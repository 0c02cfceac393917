import type { Readable, Writable } from 'node:stream';
import tar from 'tar-stream';
import type { Picture } from '@fourfold/imaging';
import { sampleInfoSchema, type SampleInfo } from '../prepare/manifest.js';
import { npyHeader } from './npy.js';
import { encodePixelIndex, memberBytes, pixelOffsets, tarBlock, type PixelPlace } from './pixel-index.js';

/** A sample as a dataset of encoding `keep` stores it: members KEY.jpg or KEY.png and KEY.json, as WebDataset names them. */
export interface StoredSample {
  key: string;
  extension: 'jpg' | 'png';
  /** The encoded picture. */
  bytes: Uint8Array;
  info: SampleInfo;
}

/** The decoded pictures of a sample. */
export interface PicturePair {
  hr: Picture;
  /** A quarter of its sides, rounded up. */
  lr: Picture;
}

/** A sample that waits to be packed. In encoding `pixels` its members are KEY.hr.npy, KEY.lr.npy and KEY.json. */
export interface PackedSample extends StoredSample {
  pixels?: PicturePair;
}

export interface PackedShard {
  body: Buffer;
  /** Where the pixels lie, in encoding `pixels`. */
  index?: string;
}

/** Bytes of a sample in a tar of encoding `keep`: two members, each with a header and padded to whole blocks. */
export const sizeInShard = ({ bytes, info }: StoredSample): number =>
  memberBytes(bytes.length) + memberBytes(Buffer.byteLength(JSON.stringify(info)));

/** Pack samples, all in one encoding, into a tar whose bytes depend on nothing else: no times, no owners. */
export async function packShard(samples: readonly PackedSample[]): Promise<PackedShard> {
  const pack = tar.pack();
  const places: PixelPlace[] = [];
  let begin = 0;
  const add = (name: string, content: Uint8Array, head: Uint8Array = new Uint8Array()) => {
    const size = head.length + content.length;
    const entry = pack.entry({ name, size, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 });
    entry.write(head);
    entry.end(content);
    begin += memberBytes(size);
  };
  const addPicture = (name: string, { data, width, height }: Picture) => add(name, data, npyHeader(width, height));
  for (const { key, extension, bytes, info, pixels } of samples) {
    if (pixels) {
      const { hr, lr } = pixels;
      places.push({ width: hr.width, height: hr.height, core: info.core, ...pixelOffsets(begin, hr.width, hr.height) });
      addPicture(`${key}.hr.npy`, hr);
      addPicture(`${key}.lr.npy`, lr);
    } else {
      add(`${key}.${extension}`, bytes);
    }
    add(`${key}.json`, Buffer.from(JSON.stringify(info)));
  }
  pack.finalize();
  const body = await collect(pack);
  return { body, ...(places.length > 0 && { index: encodePixelIndex(places) }) };
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
