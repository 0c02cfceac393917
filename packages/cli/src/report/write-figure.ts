import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FourfoldError, systemErrorCode } from '@fourfold/common';

/** Write a figure, with the folders that lead to it. Throws `no-space`, and `invalid` where it cannot be written. */
export async function writeFigure(file: string, png: Buffer): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, png);
  } catch (cause) {
    const full = systemErrorCode(cause) === 'ENOSPC';
    throw new FourfoldError(full ? 'no-space' : 'invalid', `figure ${file} cannot be written`, { cause });
  }
}
