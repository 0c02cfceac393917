import { FourfoldError } from '@fourfold/common';
import type { ObjectStore } from '../objects/types.js';

/** Time limit of a put after the term was checked: less than a store's patience, so that no put happens long after the check. */
const putPatienceMs = 10_000;
/** For this long a put that was cut short is retried, each time after another check. */
const patienceMs = 600_000;

/**
 * Put an object that only the coordinator in office may write. `mayPublish` throws if this one no longer is; it is awaited before each
 * try. Tries are short: a put must not wait for the store to return and then write for a term that is over.
 */
export async function putInTerm(
  store: ObjectStore,
  key: string,
  body: string,
  mayPublish: () => Promise<void>,
): Promise<void> {
  const begunMs = performance.now();
  for (;;) {
    await mayPublish();
    const triedMs = performance.now();
    try {
      return await store.put(key, body, { patienceMs: putPatienceMs });
    } catch (error) {
      const nowMs = performance.now();
      const isCutShort =
        error instanceof FourfoldError && error.code === 'unavailable' && nowMs - triedMs >= putPatienceMs / 2;
      if (!isCutShort || nowMs - begunMs >= patienceMs) throw error;
    }
  }
}
