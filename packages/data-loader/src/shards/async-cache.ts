/** A bounded cache of values that are loaded on demand. */
export interface AsyncCache<V> {
  /** The value of a key. Concurrent calls share one load. A failed load is not remembered. */
  get(key: string): Promise<V>;
  /** Act on the value of a key. It is not disposed of meanwhile. */
  use<T>(key: string, act: (value: V) => Promise<T>): Promise<T>;
  /** Forget what is held under such keys. */
  forgetWhere(isStale: (key: string) => boolean): void;
  clear(): void;
  stats(): CacheStats;
}

export interface CacheStats {
  loads: number;
  /** Loads that failed. */
  failed: number;
  hits: number;
  /** Total size of the values held. */
  held: number;
}

export interface AsyncCacheOptions<V> {
  load: (key: string) => Promise<V>;
  sizeOf: (value: V) => number;
  /** Largest total size of the values held. The newest value is held even if it alone is larger. */
  limit: number;
  /** Called with a value that is no longer held or used. */
  dispose?: (value: V) => void;
}

interface Entry<V> {
  value: Promise<V>;
  /** 0 until the value is loaded. */
  size: number;
  users: number;
  isForgotten: boolean;
}

/** A cache that forgets the least recently used values. docs/decisions.md says why it is not `lru-cache`. */
export function createAsyncCache<V>({ load, sizeOf, limit, dispose }: AsyncCacheOptions<V>): AsyncCache<V> {
  /** In order of last use. */
  const entries = new Map<string, Entry<V>>();
  const stats: CacheStats = { loads: 0, failed: 0, hits: 0, held: 0 };
  const forget = (key: string, entry: Entry<V>) => {
    stats.held -= entry.size;
    entries.delete(key);
    entry.isForgotten = true;
    disposeIfUnused(entry, dispose);
  };
  const forgetWhere = (isStale: (key: string) => boolean) => {
    for (const [key, entry] of entries) if (isStale(key)) forget(key, entry);
  };
  const add = (key: string) => {
    stats.loads++;
    const entry: Entry<V> = { value: load(key), size: 0, users: 0, isForgotten: false };
    entries.set(key, entry);
    entry.value.then(
      (value) => {
        if (entry.isForgotten) return;
        entry.size = sizeOf(value);
        stats.held += entry.size;
        for (const [oldestKey, oldest] of entries) {
          if (stats.held <= limit) break;
          if (oldest !== entry && oldest.size > 0) forget(oldestKey, oldest);
        }
      },
      () => {
        stats.failed++;
        if (!entry.isForgotten) forget(key, entry);
      },
    );
    return entry;
  };
  const find = (key: string) => {
    const entry = entries.get(key);
    if (!entry) return add(key);
    stats.hits++;
    entries.delete(key);
    entries.set(key, entry);
    return entry;
  };
  return {
    get: (key) => find(key).value,
    async use(key, act) {
      const entry = find(key);
      entry.users++;
      try {
        return await act(await entry.value);
      } finally {
        entry.users--;
        disposeIfUnused(entry, dispose);
      }
    },
    forgetWhere,
    clear: () => forgetWhere(() => true),
    stats: () => ({ ...stats }),
  };
}

function disposeIfUnused<V>({ isForgotten, users, value }: Entry<V>, dispose?: (value: V) => void): void {
  if (dispose && isForgotten && users === 0) value.then(dispose, () => undefined);
}
