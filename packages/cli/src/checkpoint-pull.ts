import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError, systemErrorCode } from '@fourfold/common';
import {
  openOutputFolder,
  openStore,
  storageError,
  unfinishedKey,
  holdsManifest,
  type Checkpoint,
} from '@fourfold/store';
import { downloadFile, hashOf, isDownload } from './download.js';

/** Names that a pull itself writes. Some file systems ignore case. */
const ownNames = new RegExp(`^(manifest.json|${unfinishedKey})$`, 'i');

export interface PullReport {
  sizeBytes: number;
  /** How many of these bytes an earlier pull had left in the folder. */
  resumedBytes: number;
}

/**
 * Copy a checkpoint into a folder, each file checked against the manifest, the manifest last. An interrupted pull is resumed.
 * Throws `invalid` if the folder holds a checkpoint or anything else that no pull has written,
 * `not-found` or `corrupt` if the source is damaged, `no-space`.
 */
export async function pullCheckpoint(
  { store, manifest }: Checkpoint,
  folder: string,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<PullReport> {
  const target = openStore(folder);
  if (await holdsManifest(target)) {
    throw new FourfoldError('invalid', `${target.url} already holds a manifest`, { hint: 'pull into a new folder' });
  }
  const files = Object.entries(manifest.files);
  const ownName = files.map(([file]) => file).find((file) => ownNames.test(file));
  if (ownName !== undefined) {
    throw new FourfoldError('corrupt', `${store.url}/manifest.json names ${ownName} among the checkpoint's files`, {
      hint: 'use another checkpoint of the run',
    });
  }
  // Files of this checkpoint may stay, wherever they come from.
  const mayStay = async (key: string) => {
    const expected = Object.hasOwn(manifest.files, key) ? manifest.files[key] : undefined;
    return expected !== undefined && (await hashOf(join(folder, key))).hash.digest('hex') === expected.sha256;
  };
  const out = await openOutputFolder(target, { inputs: [], mayStay });
  const sizeBytes = files.reduce((sum, [, file]) => sum + file.sizeBytes, 0);
  let doneBytes = 0;
  let resumedBytes = 0;
  try {
    await mkdir(folder, { recursive: true });
    await out.claim(files.map(([file]) => file));
    for (const [file, expected] of files) {
      resumedBytes += await downloadFile(store, file, expected, folder, (bytes) => {
        onProgress((doneBytes += bytes), sizeBytes);
      });
    }
    const left = (await readdir(folder)).filter(isDownload);
    for (const name of left) await rm(join(folder, name));
  } catch (error) {
    throw systemErrorCode(error) ? storageError(target.url, 'written', error) : error;
  }
  await out.finish('manifest.json', await store.get('manifest.json'));
  return { sizeBytes, resumedBytes };
}
