import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { FourfoldError, systemErrorCode } from '../errors/errors.js';

/** Read a file named by the user. Throws `not-found`, or `invalid` if it cannot be read. `what` names it in errors. */
export async function readGivenFile(path: string | URL, what = String(path)): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    if (systemErrorCode(cause) === 'ENOENT') throw new FourfoldError('not-found', `${what} does not exist`, { cause });
    throw new FourfoldError('invalid', `${what} cannot be read`, { cause });
  });
}

/** What a program gets by a pipe can have no end. */
const largestInputBytes = 2 ** 31;

/** All of standard input. Throws `invalid` if it is larger than the limit; rejects with the signal's reason. */
export async function readStandardInput(
  signal?: AbortSignal,
  { input = process.stdin, limitBytes = largestInputBytes }: { input?: Readable; limitBytes?: number } = {},
): Promise<Buffer> {
  const stop = () => input.destroy(signal!.reason as Error);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) {
        throw new FourfoldError('invalid', `standard input is larger than ${limitBytes} bytes`, {
          hint: 'name a file',
        });
      }
    }
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  return Buffer.concat(chunks);
}
