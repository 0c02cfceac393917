import type { FileHandle } from 'node:fs/promises';
import { sampleInfoSchema } from '../prepare/manifest.js';
import { npyHeaderBytes, whyNoNpy } from './npy.js';
import { lrSide, memberBytes, npyBytes, sampleBegin, tarBlock, type PixelPlace } from './pixel-index.js';

const longestInfoBytes = 65_536;

/**
 * Why a shard's tar is not what its index says: each sample's members, their order, their arrays' types and shapes, and the core.
 * undefined if it is. Reads the headers, not the pixels.
 */
export async function whyNoPixels(handle: FileHandle, places: readonly PixelPlace[]): Promise<string | undefined> {
  const read = async (offset: number, sizeBytes: number) => {
    const bytes = Buffer.alloc(sizeBytes);
    await handle.read(bytes, 0, sizeBytes, offset);
    return bytes;
  };
  for (const place of places) {
    const reason = await whyNoSample(read, place);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

type Read = (offset: number, sizeBytes: number) => Promise<Buffer>;

async function whyNoSample(read: Read, place: PixelPlace): Promise<string | undefined> {
  let begin = sampleBegin(place);
  let key: string | undefined;
  for (const [extension, width, height] of [
    ['.hr.npy', place.width, place.height],
    ['.lr.npy', lrSide(place.width), lrSide(place.height)],
  ] as const) {
    const member = readTarHeader(await read(begin, tarBlock));
    if (!member?.name.endsWith(extension)) return `there is ${describe(member)} where the index has a ${extension}`;
    key ??= member.name.slice(0, -extension.length);
    if (member.name !== key + extension) return `${member.name} follows ${key}.hr.npy`;
    const reason = whyNoNpy(await read(begin + tarBlock, npyHeaderBytes), width, height);
    if (reason !== undefined) return `${member.name}: ${reason}`;
    if (member.sizeBytes !== npyBytes(width, height)) return `${member.name} has ${member.sizeBytes} bytes`;
    begin += memberBytes(member.sizeBytes);
  }
  const member = readTarHeader(await read(begin, tarBlock));
  if (member?.name !== `${key}.json`) return `${describe(member)} follows ${key}.lr.npy`;
  if (member.sizeBytes > longestInfoBytes) return `${member.name} has ${member.sizeBytes} bytes`;
  const info = sampleInfoSchema.safeParse(parseJson((await read(begin + tarBlock, member.sizeBytes)).toString()));
  const { left, top, width, height } = place.core;
  const core = info.data?.core;
  const isSame = core?.left === left && core.top === top && core.width === width && core.height === height;
  return isSame ? undefined : `${member.name} does not have the core that the index has`;
}

const describe = (member: { name: string } | undefined): string => member?.name ?? 'no file';

/** A tar's header: the name and the size of a plain file; undefined for anything else. */
function readTarHeader(block: Buffer): { name: string; sizeBytes: number } | undefined {
  const text = (begin: number, end: number) => block.toString('latin1', begin, end).replace(/\0.*$/s, '').trim();
  const name = text(0, 100);
  const size = text(124, 136);
  if (name === '' || !/^[0-7]+$/.test(size) || !/^[0\0]$/.test(block.toString('latin1', 156, 157))) return undefined;
  return { name, sizeBytes: parseInt(size, 8) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
