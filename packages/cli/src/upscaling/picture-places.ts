import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FourfoldError, readStandardInput } from '@fourfold/common';
import { partialName, writeOutputFile } from '@fourfold/store';
import type { OutputFormat } from './formats.js';

/** Where a picture is written to. */
export interface PictureOutput {
  /** Its name in errors. */
  name: string;
  /** Undefined means the input's format, or PNG if that is not written. */
  format: OutputFormat | undefined;
  /** Path of a folder for intermediate files, which exists only while the picture is made; its parent exists. */
  intermediates: string;
  /** Write the picture, completely or not at all; `encode` writes it to a path. */
  write: (encode: (path: string) => Promise<void>) => Promise<void>;
}

/** All of standard input, until the signal. Throws `invalid` if it is a terminal. */
export async function readPipedPicture(signal: AbortSignal): Promise<Buffer> {
  if (process.stdin.isTTY) {
    throw new FourfoldError('invalid', 'standard input is a terminal', { hint: 'pipe a picture: … < small.jpg' });
  }
  return readStandardInput(signal);
}

/** A file, which is overwritten only with `force`. */
export const fileOutput = (path: string, format: OutputFormat, force: boolean): PictureOutput => ({
  name: path,
  format,
  intermediates: join(dirname(path), `${partialName()}.pieces`),
  write: (encode) => writeOutputFile(path, { force }, encode),
});

/** Standard output. Throws `invalid` if it is a terminal. */
export function standardOutput(format: OutputFormat | undefined): PictureOutput {
  if (process.stdout.isTTY) {
    throw new FourfoldError('invalid', 'standard output is a terminal', { hint: 'redirect it: … > large.png' });
  }
  const intermediates = join(tmpdir(), `fourfold${partialName()}.pieces`);
  return {
    name: 'standard output',
    ...{ format, intermediates },
    async write(encode) {
      const file = join(intermediates, 'encoded');
      await encode(file);
      await pipeline(createReadStream(file), process.stdout, { end: false });
    },
  };
}
