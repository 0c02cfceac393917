import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checkOutputFile, FourfoldError, systemErrorCode, type OutputFileRules } from '@fourfold/common';

/** Check that an output can be written in its folder, and may be. Throws `not-found` and `invalid`, before any work. */
export async function checkOutputPlace(output: string, rules: OutputFileRules): Promise<void> {
  const folder = dirname(output);
  try {
    await access(folder, constants.W_OK);
  } catch (cause) {
    const missing = systemErrorCode(cause) === 'ENOENT';
    throw new FourfoldError(
      missing ? 'not-found' : 'invalid',
      `${output}: folder ${folder} ${missing ? 'does not exist' : 'cannot be written to'}`,
    );
  }
  await checkOutputFile(output, rules);
}
