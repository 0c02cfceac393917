import type { InputPlace } from '@fourfold/common';
import { isRunKey } from './run-place.js';

/** Names of files in any checkpoint, also one that is missing; some file systems take capitals for the same. */
const checkpointFile = /(^|\/)(manifest\.json|[^/]+\.safetensors)$/i;
/** The folders of a run, and what stands for a checkpoint of it. */
const runFolder = /^(terms|validation|latest|best|checkpoints(\/\d{8,}-\d{4,})?)$/i;

const reads = (key: string): boolean => checkpointFile.test(key) || runFolder.test(key) || isRunKey(key.toLowerCase());

/** What is read of the place that a checkpoint's URL names, as `openCheckpoint` has it: an output may lie beside the checkpoint's files. */
export function checkpointInputs(url: string): InputPlace[] {
  const [, run] = /^(.+)\/(latest|best)\/*$/.exec(url) ?? [];
  return [{ place: url, reads }, ...(run === undefined ? [] : [{ place: run, reads }])];
}
