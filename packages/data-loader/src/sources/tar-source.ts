import { open, stat, type FileHandle } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { describeError, FourfoldError } from '@fourfold/common';
import tar from 'tar-stream';
import { tarBlock } from '../shards/pixel-index.js';
import { entryName, withoutCommonFolder } from './entry-name.js';
import { createListing, type Listing } from './listing.js';
import { damagedArchive, tooLarge, type OnListing, type Source } from './source.js';

/** Where a tar's bytes are: in a file, or in memory if it was unpacked. */
interface TarBytes {
  sizeBytes: number;
  stream(): Readable;
  read(offset: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** A gzip cannot be read from the middle, so a `.tgz` is held in memory; no known data set has larger ones. */
const largestUnpackedBytes = 2 ** 30;
const streamBytes = 1 << 20;

/**
 * The tar or tgz of a path; tars in it are opened too (ImageNet: one per class), and their names count as folders. One pass finds
 * all entries, which are then read in place. Throws `corrupt` naming the entry at which it is cut off or damaged.
 */
export async function openTarSource(path: string, title: string, onListing?: OnListing): Promise<Source> {
  const packed = /\.(tgz|gz)$/i.test(path);
  const bytes = packed ? await unpack(path, title) : await openFile(path);
  try {
    const listing = createListing();
    const passing: Passing = { title, bytes, onListing, listing, last: 'its first entry', end: 0 };
    await listTar(bytes.stream(), passing, { base: 0, folder: '' });
    await checkEnd(passing);
    const { files, folder } = withoutCommonFolder(listing.files());
    const context = [basename(path).replace(/\.(tar|tgz|tar\.gz)$/i, ''), folder].filter(Boolean).join('/');
    return { title, context, files, unusable: listing.unusable, close: () => bytes.close() };
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/** A pass through a tar, and what it has found. */
interface Passing extends Pick<Source, 'title'> {
  bytes: TarBytes;
  onListing?: OnListing;
  listing: Listing;
  /** The entry seen last, for errors. */
  last: string;
  /** Where the last of the outermost entries ends. */
  end: number;
}

/** List the entries of a tar that begins at byte `base`; `folder` goes before their names. */
async function listTar(body: Readable, passing: Passing, { base, folder }: { base: number; folder: string }) {
  const { bytes, listing } = passing;
  const extract = tar.extract();
  body.once('error', (error) => extract.destroy(error));
  body.pipe(extract as unknown as Writable);
  try {
    for await (const entry of extract) {
      // `byteOffset` is where an entry's data begin, after all of its headers; the types lack it.
      const { name: stored, size = 0, type, byteOffset } = entry.header as typeof entry.header & { byteOffset: number };
      const offset = base + byteOffset;
      const found = entryName(folder + stored);
      passing.last = folder + stored;
      if (folder === '') passing.end = offset + tarBlock * Math.ceil(size / tarBlock);
      passing.onListing?.(offset, bytes.sizeBytes);
      if (type === 'file' && found !== 'hidden' && 'name' in found && folder === '' && /\.tar$/i.test(stored)) {
        await listTar(entry as unknown as Readable, passing, {
          base: offset,
          folder: `${found.name.replace(/\.tar$/i, '')}/`,
        });
        continue;
      }
      entry.resume();
      if (type === 'directory') continue;
      const regular = type === 'file' || type === 'contiguous-file';
      const unread = regular ? tooLarge(size) : `a ${type}, not a file`;
      listing.add(folder + stored, { sizeBytes: size, read: () => bytes.read(offset, size) }, unread);
    }
  } catch (cause) {
    body.destroy();
    throw cause instanceof FourfoldError ? cause : brokenTar(passing, cause);
  }
}

/** A tar ends with blocks of zeros: without them it was cut off between two entries. */
async function checkEnd({ bytes, title, last, end }: Passing): Promise<void> {
  const mark = end + tarBlock <= bytes.sizeBytes ? await bytes.read(bytes.sizeBytes - tarBlock, tarBlock) : undefined;
  if (!mark || mark.some((byte) => byte !== 0)) {
    throw damagedArchive(title, `it is cut off after ${last}; its end mark is missing`);
  }
}

function brokenTar({ title, last }: Passing, cause: unknown): FourfoldError {
  const cutOff = describeError(cause).includes('Unexpected end');
  return damagedArchive(title, cutOff ? `it is cut off in ${last}` : `the data after ${last} is not a tar entry`);
}

async function openFile(path: string): Promise<TarBytes> {
  const handle = await open(path);
  const { size } = await handle.stat();
  return {
    sizeBytes: size,
    stream: () => handle.createReadStream({ start: 0, autoClose: false, highWaterMark: streamBytes }),
    read: (offset, length) => readAt(handle, offset, length),
    close: () => handle.close(),
  };
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  if (bytesRead !== length) throw new FourfoldError('invalid', 'the tar was truncated while in use');
  return bytes;
}

async function unpack(path: string, title: string): Promise<TarBytes> {
  await stat(path);
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  const file = createReadStream(path, { highWaterMark: streamBytes });
  const gunzip = createGunzip();
  file.once('error', (error) => gunzip.destroy(error));
  try {
    for await (const piece of file.pipe(gunzip) as AsyncIterable<Buffer>) {
      pieces.push(piece);
      sizeBytes += piece.length;
      if (sizeBytes > largestUnpackedBytes) {
        throw new FourfoldError('invalid', `${title} unpacks to more than ${largestUnpackedBytes} bytes`, {
          hint: 'gunzip it first; a tar is read in place',
        });
      }
    }
  } catch (cause) {
    file.destroy();
    throw cause instanceof FourfoldError ? cause : damagedArchive(title, 'it cannot be unpacked', cause);
  }
  const all = Buffer.concat(pieces);
  return {
    sizeBytes,
    stream: () => Readable.from([all], { objectMode: false }),
    read: (offset, length) => Promise.resolve(all.subarray(offset, offset + length)),
    close: () => Promise.resolve(),
  };
}
