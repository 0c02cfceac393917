/** A bounded cache of values that are loaded on demand. */
export interface AsyncCache<V> {
  /** The value of a key; whoever asks while it is being loaded shares the load. A failed load is not remembered. */
  get(key: string): Promise<V>;
  clear(): void;
  stats(): CacheStats;
}

export interface CacheStats {
  loads: number;
  hits: number;
  /** Sum of the sizes of what is held. */
  held: number;
}

export interface AsyncCacheOptions<V> {
  load: (key: string) => Promise<V>;
  sizeOf: (value: V) => number;
  /** What is held stays within this, or is the one value asked for last. */
  limit: number;
}

/** A cache that forgets what was asked for least recently. */
export function createAsyncCache<V>({ load, sizeOf, limit }: AsyncCacheOptions<V>): AsyncCache<V> {
  /** In order of last use. Until a value is there its size counts as 0. */
  const entries = new Map<string, { value: Promise<V>; size: number }>();
  let loads = 0;
  let hits = 0;
  let held = 0;
  const forget = (key: string) => {
    held -= entries.get(key)?.size ?? 0;
    entries.delete(key);
  };
  const add = (key: string) => {
    loads++;
    const entry = { value: load(key), size: 0 };
    entries.set(key, entry);
    entry.value.then(
      (value) => {
        if (entries.get(key) !== entry) return;
        entry.size = sizeOf(value);
        held += entry.size;
        for (const [oldest, { size }] of entries) {
          if (held <= limit) break;
          if (oldest !== key && size > 0) forget(oldest);
        }
      },
      () => {
        if (entries.get(key) === entry) forget(key);
      },
    );
    return entry.value;
  };
  return {
    get(key) {
      const entry = entries.get(key);
      if (!entry) return add(key);
      hits++;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    clear() {
      entries.clear();
      held = 0;
    },
    stats: () => ({ loads, hits, held }),
  };
}
