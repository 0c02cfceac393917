import { describeError } from '@fourfold/common';
import { openStore } from '@fourfold/store';
import { prepare, type PrepareOptions, type PrepareReport } from '../prepare/prepare.js';
import { usePrepareFolders } from '../prepare/test-folders.js';

/** An empty folder for each test of a file, and datasets that are prepared outside it. */
export function usePrepareFolder() {
  const { inFolder, outside, options } = usePrepareFolders();
  let datasets = 0;
  const prepared = (images: PrepareOptions['images'], changes: Partial<PrepareOptions> = {}): Promise<PrepareReport> =>
    prepare(options({ images, store: openStore(outside(String(datasets++))), ...changes }));
  return {
    inFolder,
    prepared,
    /** The one line that a user is shown. */
    refusal: (images: string): Promise<string> => prepared(images).then(() => 'nothing', describeError),
  };
}
