import { readdir } from 'node:fs/promises';
import { claimFolder, checkApart, type FolderMark } from '@fourfold/store';

const mark: FolderMark = {
  file: 'cluster.json',
  format: 'fourfold-cluster',
  // Clusters of versions that wrote no mark are recognised by the files that all of them had.
  async isOlder(folder) {
    const names = await readdir(folder);
    const had = ['ca.crt', 'nats-password', 'join-token', 's3-access-key', 's3-secret-key', 'environment.sh'];
    return had.every((name) => names.includes(name));
  },
};

/**
 * Claim a folder for a cluster, before any work. Throws `invalid` if it holds a user's files, and if it contains the
 * photographs or lies among them.
 */
export async function claimClusterFolder(folder: string, images: string | undefined): Promise<void> {
  if (images !== undefined) await checkApart(folder, images);
  await claimFolder(folder, mark);
}
