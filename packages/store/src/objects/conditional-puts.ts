import { randomUUID } from 'node:crypto';
import { FourfoldError } from '@fourfold/common';
import type { ObjectStore } from './types.js';

const hint =
  'use one that honours conditional writes (AWS S3, MinIO and most current services do, some after an update), or a folder';

/**
 * Check with a scratch object that a store honours create-only puts, which claim terms. Some services report success and overwrite, so
 * that two coordinators hold the same term. Throws `invalid` for such a store.
 */
export async function checkConditionalPuts(run: ObjectStore): Promise<void> {
  const key = `terms/scratch-${randomUUID()}`;
  const create = (text: string) => run.put(key, text, { ifAbsent: true });
  await create('the first').catch((cause: unknown) => {
    if (!(cause instanceof FourfoldError && cause.code === 'invalid')) throw cause;
    throw new FourfoldError('invalid', `${run.url}: the object store refuses If-None-Match`, { hint, cause });
  });
  try {
    await create('the second');
  } catch (error) {
    if (error instanceof FourfoldError && error.code === 'conflict') return;
    throw error;
  } finally {
    // A user who may not delete can still train.
    await run.remove(key).catch(() => undefined);
  }
  throw new FourfoldError(
    'invalid',
    `${run.url}: the object store ignores If-None-Match and overwrites: two coordinators could be in office at once`,
    { hint },
  );
}
