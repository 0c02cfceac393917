import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { FourfoldError } from '@fourfold/common/basics';
import { fromBufferPromise } from 'yauzl';

export interface ZipEntry {
  sizeBytes: number;
  /** The entry's bytes, after checking their checksum. Throws `corrupt`, and `invalid` for a compressed entry. */
  read(): Promise<Buffer>;
}

/**
 * The entries of a zip file as torch.save writes it: none is compressed, so it cannot unpack to more than its size.
 * `what` names it in errors. Throws `corrupt` for a file that is not a zip or is truncated.
 */
export async function readZip(bytes: Buffer, what: string): Promise<Map<string, ZipEntry>> {
  const corrupt = (part: string) => (cause: unknown) => {
    if (cause instanceof FourfoldError) throw cause;
    throw new FourfoldError('corrupt', `${what} is damaged: ${part} cannot be read`, {
      hint: 'fetch the file again',
      cause,
    });
  };
  const list = async (): Promise<Map<string, ZipEntry>> => {
    const zip = await fromBufferPromise(bytes, { lazyEntries: true, autoClose: false });
    const entries = new Map<string, ZipEntry>();
    for await (const entry of zip.eachEntry()) {
      const read = async (): Promise<Buffer> => {
        if (entry.compressionMethod !== 0) {
          throw new FourfoldError('invalid', `${what} is refused: ${entry.fileName} is compressed`, {
            hint: 'use the file as torch.save wrote it, without compression',
          });
        }
        const body = await buffer(await zip.openReadStreamPromise(entry));
        if (crc32(body) !== entry.crc32) throw new Error('its checksum differs');
        return body;
      };
      entries.set(entry.fileName, {
        sizeBytes: entry.uncompressedSize,
        read: () => read().catch(corrupt(entry.fileName)),
      });
    }
    return entries;
  };
  return list().catch(corrupt('its directory'));
}
