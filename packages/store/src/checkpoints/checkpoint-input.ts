import type { InputPlace } from '../outputs/input-places.js';
import { isRunKey } from '../runs/run-place.js';

/** Names of files in any checkpoint, including missing ones; some file systems ignore case. */
const checkpointFile = /(^|\/)(manifest\.json|[^/]+\.safetensors)$/i;
/** A run's folders, and the names that stand for one of its checkpoints. */
const runFolder = /^(terms|validation|latest|best|checkpoint|checkpoints(\/\d{8,}-\d{4,})?)$/i;

const reads = (key: string): boolean => checkpointFile.test(key) || runFolder.test(key) || isRunKey(key.toLowerCase());

/** The files that `openCheckpoint` reads at a checkpoint's URL: an output may be beside them. */
export function checkpointInputs(url: string): InputPlace[] {
  const [, run] = /^(.+)\/(latest|best)\/*$/.exec(url) ?? [];
  return [{ place: url, reads }, ...(run === undefined ? [] : [{ place: run, reads }])];
}
