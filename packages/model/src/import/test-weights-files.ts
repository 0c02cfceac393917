import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, beforeAll } from 'vitest';

/** Files that the frameworks wrote or, for formats they no longer write, that their older versions would have (make.py). */
export const vggReference = fileURLToPath(new URL('../../../../test/vgg-reference', import.meta.url));

/** A folder for the files of weights of a test file. */
export function useWeightsFolder() {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-weights-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  /** Write a file into the folder; returns its path. */
  const place = async (name: string, bytes: Uint8Array): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, bytes);
    return path;
  };
  return {
    place,
    /** The path of one of the reference's files, unpacked. */
    published: async (name: string) =>
      place(name, brotliDecompressSync(await readFile(join(vggReference, `${name}.br`)))),
  };
}
