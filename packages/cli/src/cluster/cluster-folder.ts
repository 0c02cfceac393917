import { readdir } from 'node:fs/promises';
import { claimFolder, checkApart, type FolderMark } from '@fourfold/common';

const mark: FolderMark = {
  file: 'cluster.json',
  format: 'fourfold-cluster',
  // Clusters of versions that wrote no mark are known by what all of them had.
  async isOlder(folder) {
    const names = await readdir(folder);
    const had = ['ca.crt', 'nats-password', 'join-token', 's3-access-key', 's3-secret-key', 'environment.sh'];
    return had.every((name) => names.includes(name));
  },
};

/**
 * Take a folder that keeps a cluster, before any work. Throws `invalid` where it is somebody's, and where the photographs lie in it or
 * it among them.
 */
export async function claimClusterFolder(folder: string, images: string | undefined): Promise<void> {
  if (images !== undefined) await checkApart(folder, images);
  await claimFolder(folder, mark);
}
