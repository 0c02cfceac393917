import { randomUUID } from 'node:crypto';
import { describeError, FourfoldError, type Logger } from '@fourfold/common';
import type { ObjectStore } from './types.js';

/**
 * Check with a scratch object that a run's store can write, read, list and remove objects, before hours of work depend on it. Throws the
 * store's error and names the operation; `corrupt` if other bytes are read. A failure to remove is only logged: a run does not depend on it.
 */
export async function tryStore(run: ObjectStore, log: Pick<Logger, 'warn'>): Promise<void> {
  const key = `terms/scratch-${randomUUID()}`;
  const body = Buffer.from(randomUUID());
  await trying('written', () => run.put(key, body));
  try {
    const back = await trying('read', () => run.get(key));
    if (!back.equals(body)) {
      throw new FourfoldError('corrupt', `${run.url}/${key}: the bytes read differ from the bytes written`);
    }
    const listed = await trying('listed', () => run.list(key));
    if (!listed.some((object) => object.key === key)) {
      throw new FourfoldError('invalid', `${run.url}/${key}: the object was written but is not listed`, {
        hint: 'use an object store with consistent listings',
      });
    }
  } finally {
    await run.remove(key).catch((error: unknown) => {
      const reason = describeError(error);
      log.warn({ event: 'store-no-delete', reason }, 'the store does not remove objects: old checkpoints will stay');
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
