import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FourfoldError, parseS3Url, type RunConfig } from '@fourfold/common';
import { storageError } from '@fourfold/store';
import { userCacheFolder } from './cache-folder.js';

/**
 * Check that shards can be cached on this machine, if the dataset is in an object store. Throws `no-space`, or `invalid` for a
 * folder that cannot be written.
 */
export async function tryShardCache({ data, dataset }: Pick<RunConfig, 'data' | 'dataset'>): Promise<void> {
  if (!parseS3Url(dataset)) return;
  const folder = resolve(data.cacheFolder ?? userCacheFolder(process.env));
  const scratch = join(folder, `.fourfold-trial-${randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(scratch, scratch, { flag: 'wx' });
  } catch (cause) {
    const isFull = storageError(folder, 'written', cause).code === 'no-space';
    throw new FourfoldError(isFull ? 'no-space' : 'invalid', `the shard cache ${folder} cannot be written`, {
      hint: 'set data.cacheFolder to a folder with room that this user may write to',
      cause,
    });
  } finally {
    await rm(scratch, { force: true }).catch(() => undefined);
  }
}
