import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, vi } from 'vitest';

type Made<T> = { value: T } | { problem: string };

/** Long enough for a few processes on a machine that is many times slower. */
const patienceMs = 300_000;

/**
 * What several test files need and none of them changes. The first that asks for `name` makes it, in a folder for it, while others wait; all
 * get the value through JSON. Rejects if it could not be made.
 */
export async function once<T>(name: string, make: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(inject('sharedFolder'), name);
  const file = join(folder, 'made.json');
  if (await isFirst(folder)) {
    const made: Made<T> = await make(folder).then(
      (value) => ({ value }),
      (problem: unknown) => ({ problem: String(problem) }),
    );
    await writeFile(`${file}.partial`, JSON.stringify(made));
    await rename(`${file}.partial`, file);
  }
  const text = await vi.waitFor(() => readFile(file, 'utf8'), { timeout: patienceMs, interval: 100 });
  const made = JSON.parse(text) as Made<T>;
  if ('problem' in made) throw new Error(`${name} could not be made: ${made.problem}`);
  return made.value;
}

const isFirst = (folder: string): Promise<boolean> =>
  mkdir(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
