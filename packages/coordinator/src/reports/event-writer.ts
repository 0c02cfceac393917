import type { FileHandle } from 'node:fs/promises';

export interface EventWriter {
  /** Append records. What fails to be written is written again by the next call. */
  write(records: readonly Buffer[]): Promise<void>;
  close(): Promise<void>;
}

/** Records that wait while the file cannot be written; older ones are dropped. */
const mostWaiting = 10_000;

/**
 * Writes records to a new file. A reader stops at a torn record, so a failed write, such as on a full disk, is cut off before the
 * next one.
 */
export function createEventWriter(
  file: Pick<FileHandle, 'write' | 'truncate' | 'close'>,
  most = mostWaiting,
): EventWriter {
  let waiting: Buffer[] = [];
  /** Bytes of whole records. */
  let sizeBytes = 0;
  let isTorn = false;

  async function flush(): Promise<void> {
    if (waiting.length === 0) return;
    if (isTorn) await file.truncate(sizeBytes);
    const bytes = Buffer.concat(waiting);
    isTorn = true;
    for (let done = 0; done < bytes.length;) {
      done += (await file.write(bytes, done, bytes.length - done, sizeBytes + done)).bytesWritten;
    }
    isTorn = false;
    sizeBytes += bytes.length;
    waiting = [];
  }

  return {
    async write(records) {
      waiting = [...waiting, ...records].slice(-most);
      await flush();
    },
    async close() {
      try {
        await flush();
      } finally {
        await file.close();
      }
    },
  };
}
