import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError, openStore, storageError, systemErrorCode } from '@fourfold/common';
import { holdsManifest, type Checkpoint } from '@fourfold/coordinator';
import { downloadFile, partialMark } from './download.js';

export interface PullReport {
  sizeBytes: number;
  /** Of these, bytes that an earlier pull into the folder had left. */
  resumedBytes: number;
}

/**
 * Copy a checkpoint into a folder, each file checked against the manifest, the manifest last. What a pull that broke off has
 * left there is gone on with. Throws `conflict` where the folder holds a checkpoint already, `not-found` or `corrupt` where
 * the source is damaged, `no-space`.
 */
export async function pullCheckpoint(
  { store, manifest }: Checkpoint,
  folder: string,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<PullReport> {
  const target = openStore(folder);
  if (await holdsManifest(target)) {
    throw new FourfoldError('conflict', `${target.url} holds a manifest already`, { mend: 'pull into a new folder' });
  }
  const files = Object.entries(manifest.files);
  const sizeBytes = files.reduce((sum, [, file]) => sum + file.sizeBytes, 0);
  let doneBytes = 0;
  let resumedBytes = 0;
  try {
    await mkdir(folder, { recursive: true });
    for (const [file, expected] of files) {
      resumedBytes += await downloadFile(store, file, expected, folder, (bytes) => {
        onProgress((doneBytes += bytes), sizeBytes);
      });
    }
    const left = (await readdir(folder)).filter((name) => name.startsWith(partialMark));
    for (const name of left) await rm(join(folder, name));
  } catch (error) {
    throw systemErrorCode(error) ? storageError(target.url, 'written', error) : error;
  }
  await target.put('manifest.json', await store.get('manifest.json'));
  return { sizeBytes, resumedBytes };
}
