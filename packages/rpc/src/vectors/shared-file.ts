import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { describeError, FourfoldError, systemErrorCode } from '@fourfold/common/basics';
import type { SharedFile__Output } from '../generated/fourfold/v1/SharedFile.js';
import type { Token__Output } from '../generated/fourfold/v1/Token.js';

/*
 * Wire vectors in the shared memory of a host: files on tmpfs that never have a name. Their owner creates them with O_TMPFILE, a
 * peer opens them through the owner's descriptors in /proc, and the kernel frees them as soon as no living process has them
 * open. So nothing is left to clean up, whichever process dies and however.
 *
 * A file begins with a stamp that identifies its contents; the vector follows on the next page. The stamp is empty while the vector is
 * being replaced, so a reader that finds the same stamp before and after has read that vector.
 */

/** Linux's O_TMPFILE, which Node does not define: O_DIRECTORY and one more bit. */
const temporaryFile = constants.O_DIRECTORY | 0o20000000;
const vectorBegin = 4096;

/** Bytes per read or write. Half as many cost more round trips than they save in cache misses. */
export const pieceBytes = 4 << 20;
/** Concurrent reads or writes: enough to keep one running while the one before is processed. */
const piecesUnderWay = 2;

/** Identifies the contents of a file, as on the wire: a gradient's token, or the term and version of parameters. */
export type Stamp = Pick<Token__Output, 'term' | 'number'>;
const noStamp: Stamp = { term: 0, number: 0 };

/** A file of this process that other processes read. */
export interface OwnFile {
  /** Where other processes find it. */
  readonly place: SharedFile__Output;
  /** Replace the contents. Throws `no-space` if the folder is full; the file is then empty. */
  write(stamp: Stamp, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A file of another process. It can be read until it is closed here, even if its owner dies. */
export interface PeerFile {
  /** This process's descriptor, for all its threads. */
  readonly descriptor: number;
  /** Whether it now holds the vector of `stamp`. */
  holds(stamp: Stamp): boolean;
  /** Fill `bytes` from the vector, starting at byte `begin`. */
  read(begin: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Create a file in `folder`. Throws `unavailable` if the folder or the system does not support such files. */
export async function createSharedFile(folder: string): Promise<OwnFile> {
  const handle = await openUnnamed(folder);
  return {
    place: { pid: process.pid, descriptor: handle.fd },
    async write(stamp, bytes) {
      try {
        writeSync(handle.fd, encodeStamp(noStamp), 0, undefined, 0);
        await inPieces(bytes.byteLength, (begin, end) =>
          whole(bytes.subarray(begin, end), begin, (piece, position) =>
            handle.write(piece, 0, piece.byteLength, position).then(({ bytesWritten }) => bytesWritten),
          ),
        );
        writeSync(handle.fd, encodeStamp(stamp), 0, undefined, 0);
      } catch (cause) {
        // Free the incomplete contents.
        await handle.truncate(0);
        if (!['ENOSPC', 'EFBIG', 'EDQUOT', 'ENOMEM'].includes(systemErrorCode(cause) ?? '')) throw cause;
        throw new FourfoldError('no-space', `shared memory ${folder} has no room for ${bytes.byteLength} bytes`, {
          hint: 'make it larger (in a container: its shm size), or set exchange.transport to grpc',
          cause,
        });
      }
    },
    close: () => handle.close(),
  };
}

async function openUnnamed(folder: string): Promise<FileHandle> {
  try {
    if (process.platform !== 'linux') throw new Error(`not on ${process.platform}`);
    return await open(folder, temporaryFile | constants.O_RDWR, 0o600);
  } catch (cause) {
    throw new FourfoldError('unavailable', `there is no shared memory in ${folder}`, { cause });
  }
}

const pathOf = ({ pid, descriptor }: SharedFile__Output) => `/proc/${pid}/fd/${descriptor}`;
/** On another host the same numbers may name anything, such as a pipe, on which opening must not block. */
const readOnly = constants.O_RDONLY | constants.O_NONBLOCK;

/** Open another process's file. Rejects with the system's error if that process does not have it. */
export async function openSharedFile(place: SharedFile__Output): Promise<PeerFile> {
  const handle = await open(pathOf(place), readOnly);
  return {
    descriptor: handle.fd,
    holds: (stamp) => holdsStamp(handle.fd, stamp),
    read: (begin, bytes) =>
      whole(bytes, begin, (piece, position) =>
        handle.read(piece, 0, piece.byteLength, position).then(({ bytesRead }) => bytesRead),
      ),
    close: () => handle.close(),
  };
}

/**
 * Why this process cannot read a worker's file; undefined if it can. A process that finds the worker's secret stamp in the file shares
 * its memory, whatever containers they run in.
 */
export function whyNotShared(place: SharedFile__Output, secret: Stamp): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(pathOf(place), readOnly);
    if (fstatSync(descriptor).isFile() && holdsStamp(descriptor, secret)) return undefined;
    return 'the worker is on another host';
  } catch (error) {
    return `the worker is on another host, or its files cannot be read (${describeError(error)})`;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/**
 * Fill `target` with a peer's wire vector of the same length. Throws `unavailable` if the file holds something else, and the signal's
 * reason if it is aborted; by then nothing writes to `target`.
 */
export async function readVector(file: PeerFile, stamp: Stamp, target: Uint8Array, signal: AbortSignal): Promise<void> {
  await inPieces(target.byteLength, async (begin, end) => {
    signal.throwIfAborted();
    await file.read(begin, target.subarray(begin, end));
    if (!file.holds(stamp)) throw replaced();
  });
}

/** The same for the bytes from `begin` on, in a thread that may block. */
export function readVectorSync(descriptor: number, stamp: Stamp, begin: number, bytes: Uint8Array): void {
  const position = vectorBegin + begin;
  for (let done = 0; done < bytes.byteLength;) {
    const count = readSync(descriptor, bytes, done, bytes.byteLength - done, position + done);
    if (count === 0) throw endsEarly();
    done += count;
  }
  if (!holdsStamp(descriptor, stamp)) throw replaced();
}

const replaced = () => new FourfoldError('unavailable', 'the shared memory now holds a different vector');
const endsEarly = () => new FourfoldError('unavailable', 'the shared memory ends too early');

/** A stamp that cannot be guessed. */
export const secretStamp = (): Stamp => ({ term: secretNumber(), number: secretNumber() });
const secretNumber = () => crypto.getRandomValues(new Uint32Array(1))[0] + 1;

const encodeStamp = ({ term, number }: Stamp): Float64Array => Float64Array.of(term, number);

function holdsStamp(descriptor: number, { term, number }: Stamp): boolean {
  const found = new Float64Array(2);
  const bytesRead = readSync(descriptor, found, 0, found.byteLength, 0);
  return bytesRead === found.byteLength && found[0] === term && found[1] === number;
}

/** Process bytes 0 .. `byteLength - 1` in pieces, a few at a time. */
async function inPieces(byteLength: number, act: (begin: number, end: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < byteLength) {
      const at = next;
      next = Math.min(byteLength, at + pieceBytes);
      await act(at, next);
    }
  };
  const lanes = Array.from({ length: piecesUnderWay }, lane);
  // All lanes end before a failure is reported.
  await Promise.allSettled(lanes);
  await Promise.all(lanes);
}

/** Read or write all of `bytes` at byte `begin` of the vector: one call may transfer fewer bytes than asked. */
async function whole(
  bytes: Uint8Array,
  begin: number,
  act: (bytes: Uint8Array, position: number) => Promise<number>,
): Promise<void> {
  const position = vectorBegin + begin;
  for (let done = 0; done < bytes.byteLength;) {
    const count = await act(bytes.subarray(done), position + done);
    if (count === 0) throw endsEarly();
    done += count;
  }
}
