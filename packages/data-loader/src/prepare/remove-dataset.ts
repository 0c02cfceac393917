import { FourfoldError } from '@fourfold/common';
import { readUnfinished, unfinishedKey, type ObjectStore } from '@fourfold/store';
import { manifestKey, readDatasetManifest } from './manifest.js';

/** Remove a dataset, or the remains of an interrupted `prepare`: the files that its manifest or its mark names, and nothing else. */
export async function removeDataset(store: ObjectStore): Promise<void> {
  const manifest = await readDatasetManifest(store).catch((error: unknown) => {
    if (!(error instanceof FourfoldError) || ['unavailable', 'denied'].includes(error.code)) throw error;
  });
  const unfinished = await readUnfinished(store);
  const shards = [...(manifest?.shards.map(({ file }) => file) ?? []), ...(unfinished ?? [])];
  for (const key of shards) await store.remove(key);
  if (manifest) await store.remove(manifestKey);
  if (unfinished) await store.remove(unfinishedKey);
  await store.tidyFolder('');
}
