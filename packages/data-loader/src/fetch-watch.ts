import type { CacheFile } from './cache-folder.js';

/** How long another process's fetch is waited for. */
export interface FetchPatience {
  /** A file that has not grown for so long counts as given up. */
  silenceMs: number;
  /** Even of one that grows: then this process fetches by itself. */
  longestMs: number;
}

/**
 * Decides whether others' fetches of a shard are worth waiting for. What has grown is told by this process's own clock: the times
 * of files come from clocks that may be anywhere.
 */
export function createFetchWatch({ silenceMs, longestMs }: FetchPatience, now = () => performance.now()) {
  const begunMs = now();
  const seen = new Map<string, { sizeBytes: number; sinceMs: number }>();
  return {
    /** One that is worth waiting for, of the partial files that are there now. `nowMs` is the time of day. */
    worthIt(partials: readonly CacheFile[], nowMs = Date.now()): CacheFile | undefined {
      if (now() - begunMs >= longestMs) return undefined;
      return partials.find(({ path, sizeBytes, modifiedMs }) => {
        const before = seen.get(path);
        // Of one that was last written long ago nobody need see for so long that it does not grow.
        if (!before && nowMs - modifiedMs >= silenceMs) return false;
        if (before?.sizeBytes !== sizeBytes) seen.set(path, { sizeBytes, sinceMs: now() });
        return now() - (seen.get(path)?.sinceMs ?? 0) < silenceMs;
      });
    },
  };
}
