import { readFile } from 'node:fs/promises';
import { FourfoldError, systemErrorCode } from '../errors/errors.js';

/** Read a file named by the user. Throws `not-found`, or `invalid` if it cannot be read. `what` names it in errors. */
export async function readGivenFile(path: string | URL, what = String(path)): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    if (systemErrorCode(cause) === 'ENOENT') throw new FourfoldError('not-found', `${what} does not exist`, { cause });
    throw new FourfoldError('invalid', `${what} cannot be read`, { cause });
  });
}

/** All of standard input. */
export async function readStandardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
