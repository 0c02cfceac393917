import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { claimFolder, openStore, type FolderMark, removeRun } from '@fourfold/store';
import { removeDataset } from '@fourfold/data-loader';
import { parse } from 'yaml';
import { z } from '@fourfold/common/zod';

/** The files of a demo, besides its dataset and its run. */
export const demoFiles = ['config.yaml', 'report.json', 'curves.png', 'comparison.png'] as const;
export const datasetIn = (folder: string): string => join(folder, 'dataset');
export const storeIn = (folder: string): string => join(folder, 'store');
export const demoRun = 'demo';

const mark: FolderMark = {
  file: 'demo.json',
  format: 'fourfold-demo',
  // Demos of versions that wrote no mark are recognised by their config.
  async isOlder(folder) {
    const text = await readFile(join(folder, 'config.yaml'), 'utf8').catch(() => '');
    const ours = { recipe: z.literal('demo'), name: z.literal(demoRun), store: z.literal(storeIn(folder)) };
    try {
      return z.object(ours).safeParse(parse(text)).success;
    } catch {
      return false;
    }
  },
};

/**
 * Claim a folder for a demo, before any work, and remove an existing demo; other files stay. Throws `invalid` if the folder is
 * not a demo's.
 */
export async function clearDemoFolder(folder: string): Promise<void> {
  if (!(await claimFolder(folder, mark))) return;
  for (const file of demoFiles) await rm(join(folder, file), { force: true });
  await removeDataset(openStore(datasetIn(folder)));
  await removeRun(openStore(storeIn(folder)).at(`runs/${demoRun}`));
}
