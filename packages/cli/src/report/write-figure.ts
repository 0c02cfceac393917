import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { storageError, writeOutputFile } from '@fourfold/store';

/** Write a figure, with the folders that lead to it, as `writeOutputFile` does. */
export async function writeFigure(file: string, figure: Buffer | string, { force }: { force: boolean }): Promise<void> {
  await mkdir(dirname(file), { recursive: true }).catch((cause: unknown) => {
    throw storageError(file, 'written', cause);
  });
  await writeOutputFile(file, { force }, (partial) => writeFile(partial, figure));
}
