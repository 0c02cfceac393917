import { FourfoldError } from './errors.js';
import type { ObjectStore } from './object-store.js';

/** Most that a put may take after the term was looked at: less than a store's patience, so that none is made long after. */
const putPatienceMs = 10_000;
/** For so long a put that takes longer is begun again, each time after another look. */
const patienceMs = 600_000;

/**
 * Put an object that only the coordinator in office may write. `mayPublish` throws where this one no longer is; it is awaited
 * before each try, and a try is short: a put must not wait for a store to come back and then write for a term that is over.
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
