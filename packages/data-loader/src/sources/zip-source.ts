import { isUtf8 } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { describeError, FourfoldError } from '@fourfold/common';
import { Entry, getFileNameLowLevel, openPromise, type ZipFile } from 'yauzl';
import { withoutCommonFolder } from './entry-name.js';
import { createListing, type Listing } from './listing.js';
import { damagedArchive, tooLarge, type OnListing, type Source } from './source.js';

const inflate = promisify(inflateRaw);

/** The zip of a path. Its directory is read at once, entries on demand. Throws `corrupt`. */
export async function openZipSource(path: string, title: string, onListing?: OnListing): Promise<Source> {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false, decodeStrings: false }).catch(
    (cause: unknown) => {
      throw damagedArchive(title, 'its directory, at the end of a zip, cannot be read', cause);
    },
  );
  const handle = await open(path);
  const close = async () => {
    await closeZip(zip);
    await handle.close();
  };
  try {
    const listing = await listZip(zip, handle, title, onListing);
    const { files, folder } = withoutCommonFolder(listing.files());
    const context = [basename(path, '.zip'), folder].filter(Boolean).join('/');
    return { title, context, files, unusable: listing.unusable, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listZip(zip: ZipFile, handle: FileHandle, title: string, onListing?: OnListing): Promise<Listing> {
  const listing = createListing();
  let last = 'its first entry';
  let listed = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      onListing?.(++listed, zip.entryCount);
      const stored = storedName(entry);
      last = `the entry after ${stored}`;
      if (stored.endsWith('/')) continue;
      const { compressedSize, uncompressedSize: sizeBytes } = entry;
      const unread = entry.isEncrypted() ? 'encrypted' : tooLarge(Math.max(compressedSize, sizeBytes));
      listing.add(stored, { sizeBytes, read: readerOf(zip, handle, entry) }, unread);
    }
  } catch (cause) {
    throw damagedArchive(title, `its directory cannot be read at ${last}`, cause);
  }
  return listing;
}

const utf8Flag = 0x800;
/** Hosts, as a zip's directory numbers them, that use only slashes: a backslash is an ordinary character there. */
const slashHosts = [3, 19];

/**
 * An entry's name. Valid UTF-8 is taken for UTF-8 with or without the flag, since many programs omit the flag; the rest is CP437, as
 * the format says. Windows programs write backslashes between folders.
 */
function storedName({ generalPurposeBitFlag, fileNameRaw, extraFields, versionMadeBy }: Entry): string {
  const flags = isUtf8(fileNameRaw) ? generalPurposeBitFlag | utf8Flag : generalPurposeBitFlag;
  const name = getFileNameLowLevel(flags, fileNameRaw, extraFields, true);
  return slashHosts.includes(versionMadeBy >> 8) ? name : name.replaceAll('\\', '/');
}

/**
 * Reads an entry; keeps only what that needs, since there may be a million. The library's own streams are not used: they keep
 * reading after they are abandoned.
 */
function readerOf(zip: ZipFile, handle: FileHandle, whole: Entry): () => Promise<Buffer> {
  const { relativeOffsetOfLocalHeader, compressedSize, uncompressedSize, compressionMethod, crc32: checksum } = whole;
  const place = Object.assign(new Entry(), { relativeOffsetOfLocalHeader, compressedSize });
  const read = async (): Promise<Buffer> => {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(place, { minimal: true });
    const stored = Buffer.alloc(compressedSize);
    const { bytesRead } = await handle.read(stored, 0, compressedSize, fileDataStart);
    if (bytesRead !== compressedSize) throw new Error('truncated while in use');
    if (compressionMethod === 0) return stored;
    if (compressionMethod !== 8) throw new Error(`unknown compression method ${compressionMethod}`);
    return inflate(stored, { maxOutputLength: Math.max(uncompressedSize, 1) });
  };
  return async () => {
    const body = await read().catch((cause: unknown) => {
      throw new FourfoldError('invalid', `cannot be read from the zip: ${describeError(cause)}`, { cause });
    });
    if (crc32(body) !== checksum) throw new FourfoldError('invalid', 'damaged in the zip: its checksum differs');
    return body;
  };
}

const closeZip = (zip: ZipFile): Promise<void> =>
  new Promise((resolve) => {
    zip.once('close', resolve);
    zip.close();
  });
