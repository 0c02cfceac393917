import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checkOutputFile, storageError, type OutputFileRules } from '@fourfold/store';
import { FourfoldError, systemErrorCode } from '@fourfold/common';

/** Check that an output may be written, in a folder that exists. Throws `not-found` and `invalid`, before any work. */
export async function checkOutputPlace(output: string, rules: OutputFileRules): Promise<void> {
  const folder = dirname(output);
  try {
    await stat(folder);
  } catch (cause) {
    if (systemErrorCode(cause) !== 'ENOENT') throw storageError(folder, 'read', cause);
    throw new FourfoldError('not-found', `${output}: folder ${folder} does not exist`);
  }
  await checkOutputFile(output, rules);
}
