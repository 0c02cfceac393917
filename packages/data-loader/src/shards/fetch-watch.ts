import type { CacheFile } from './cache-folder.js';

/** How long to wait for another process's fetch. */
export interface FetchPatience {
  /** A file that has not grown for this long counts as abandoned. */
  silenceMs: number;
  /** Longest wait, even for a file that grows; then this process fetches the shard itself. */
  longestMs: number;
}

/**
 * Decides whether other processes' fetches of a shard are worth waiting for. Growth is timed by this process's own clock: the times of
 * files come from clocks that may be wrong.
 */
export function createFetchWatch({ silenceMs, longestMs }: FetchPatience, now = () => performance.now()) {
  const begunMs = now();
  const seen = new Map<string, { sizeBytes: number; sinceMs: number }>();
  return {
    /** One of these partial files that is worth waiting for, if any. `nowMs` is the time of day. */
    worthIt(partials: readonly CacheFile[], nowMs = Date.now()): CacheFile | undefined {
      if (now() - begunMs >= longestMs) return undefined;
      return partials.find(({ path, sizeBytes, modifiedMs }) => {
        const before = seen.get(path);
        // A file last written long ago need not be watched for that long.
        if (!before && nowMs - modifiedMs >= silenceMs) return false;
        if (before?.sizeBytes !== sizeBytes) seen.set(path, { sizeBytes, sinceMs: now() });
        return now() - (seen.get(path)?.sinceMs ?? 0) < silenceMs;
      });
    },
  };
}
