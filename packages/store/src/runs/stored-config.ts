import { parseRunConfig, type RunConfig } from '@fourfold/common';
import { checkpointStore, listCheckpoints, readManifest } from '../checkpoints/checkpoint.js';
import { termOf } from '../checkpoints/retention.js';
import { unlessLost } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { readRunRecord } from './run-record.js';

/**
 * The config with which a run's newest term began: that of its record, or of its newest readable checkpoint if the record is
 * lost or older. Undefined if the run has no checkpoint, or neither a readable one nor a record: nothing can be resumed. Throws
 * `invalid` if this version does not understand it.
 */
export async function readStoredConfig(run: ObjectStore): Promise<RunConfig | undefined> {
  const names = await listCheckpoints(run);
  if (names.length === 0) return undefined;
  const record = await readRunRecord(run);
  if (record && record.term >= termOf(names[names.length - 1]))
    return parseRunConfig(record.config, `${run.url}/run.json`);
  for (const name of names.reverse()) {
    const checkpoint = checkpointStore(run, name);
    const manifest = await unlessLost(readManifest(checkpoint));
    if (manifest) return parseRunConfig(manifest.config, `${checkpoint.url}/manifest.json`);
  }
  return record && parseRunConfig(record.config, `${run.url}/run.json`);
}
