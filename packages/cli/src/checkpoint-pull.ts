import { FourfoldError, type ObjectStore } from '@fourfold/common';
import { readCheckpointFile } from '@fourfold/coordinator';
import { holdsManifest, type Checkpoint } from './checkpoint-source.js';

/**
 * Copy a checkpoint, each file checked against the manifest, the manifest last. Returns the size in bytes. After any
 * error what was copied is removed. Throws `conflict` where the target holds a checkpoint already, `not-found` or
 * `corrupt` where the source is damaged, `no-space`.
 */
export async function pullCheckpoint({ store, manifest }: Checkpoint, target: ObjectStore): Promise<number> {
  if (await holdsManifest(target)) {
    throw new FourfoldError('conflict', `${target.url} holds a manifest already`, { mend: 'pull into a new folder' });
  }
  const files = Object.keys(manifest.files);
  let sizeBytes = 0;
  try {
    for (const file of files) {
      const body = await readCheckpointFile(store, manifest, file);
      await target.put(file, body);
      sizeBytes += body.byteLength;
    }
    await target.put('manifest.json', await store.get('manifest.json'));
    return sizeBytes;
  } catch (error) {
    for (const file of files) await target.remove(file).catch(() => undefined);
    throw error;
  }
}
