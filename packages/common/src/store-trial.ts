import { randomUUID } from 'node:crypto';
import { describeError, FourfoldError } from './errors.js';
import type { Logger } from './log.js';
import type { ObjectStore } from './object-store.js';

/**
 * Try with a scratch object whether a run's store takes, gives back, lists and removes objects, before hours of work are to go there.
 * Throws what the store does, saying what was tried, and `corrupt` where other bytes come back. That nothing can be removed is only
 * logged: a run can do without.
 */
export async function tryStore(run: ObjectStore, log: Pick<Logger, 'warn'>): Promise<void> {
  const key = `terms/scratch-${randomUUID()}`;
  const body = Buffer.from(randomUUID());
  await trying('written', () => run.put(key, body));
  try {
    const back = await trying('read', () => run.get(key));
    if (!back.equals(body)) {
      throw new FourfoldError('corrupt', `${run.url}/${key}: what is read is not what was written`);
    }
    const listed = await trying('listed', () => run.list(key));
    if (!listed.some((object) => object.key === key)) {
      throw new FourfoldError('invalid', `${run.url}/${key}: what was written is not listed`, {
        hint: 'use an object store with consistent listings',
      });
    }
  } finally {
    await run.remove(key).catch((error: unknown) => {
      const reason = describeError(error);
      log.warn(
        { event: 'store-no-delete', reason },
        'nothing can be removed from the store: old checkpoints will stay',
      );
    });
  }

  async function trying<T>(verb: string, attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (cause) {
      const code = cause instanceof FourfoldError ? cause.code : 'unavailable';
      throw new FourfoldError(code, `the run's store cannot be ${verb}: ${describeError(cause)}`, { cause });
    }
  }
}
