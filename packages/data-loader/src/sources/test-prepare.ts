import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '@fourfold/common';
import { openStore } from '@fourfold/store';
import { afterEach, beforeEach } from 'vitest';
import { prepare, prepareDefaults, type PrepareOptions, type PrepareReport } from '../prepare/prepare.js';

/** An empty folder for each test of a file, and datasets that are prepared beside it. */
export function usePrepareFolder() {
  let folder: string;
  let datasets = 0;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-sources-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
    await rm(`${folder}-datasets`, { recursive: true, force: true });
  });
  const prepared = (images: PrepareOptions['images'], changes: Partial<PrepareOptions> = {}): Promise<PrepareReport> =>
    prepare({
      ...prepareDefaults,
      images,
      store: openStore(join(`${folder}-datasets`, String(datasets++))),
      name: 'test',
      ...changes,
    });
  return {
    /** A path in the folder. */
    inFolder: (...names: string[]) => join(folder, ...names),
    prepared,
    /** The one line that a user is shown. */
    refusal: (images: string): Promise<string> => prepared(images).then(() => 'nothing', describeError),
  };
}
