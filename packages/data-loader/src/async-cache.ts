/** A bounded cache of values that are loaded on demand. */
export interface AsyncCache<V> {
  /** The value of a key; whoever asks while it is being loaded shares the load. A failed load is not remembered. */
  get(key: string): Promise<V>;
  /** Do something with the value of a key, which is not disposed of meanwhile. */
  use<T>(key: string, act: (value: V) => Promise<T>): Promise<T>;
  clear(): void;
  stats(): CacheStats;
}

export interface CacheStats {
  loads: number;
  /** Of the loads. */
  failed: number;
  hits: number;
  /** Sum of the sizes of what is held. */
  held: number;
}

export interface AsyncCacheOptions<V> {
  load: (key: string) => Promise<V>;
  sizeOf: (value: V) => number;
  /** What is held stays within this, or is the one value asked for last. */
  limit: number;
  /** What to do with a value that is neither held nor used any more. */
  dispose?: (value: V) => void;
}

interface Entry<V> {
  value: Promise<V>;
  /** 0 until the value is there. */
  size: number;
  users: number;
  isForgotten: boolean;
}

/** A cache that forgets what was asked for least recently. */
export function createAsyncCache<V>({ load, sizeOf, limit, dispose }: AsyncCacheOptions<V>): AsyncCache<V> {
  /** In order of last use. */
  const entries = new Map<string, Entry<V>>();
  let loads = 0;
  let failed = 0;
  let hits = 0;
  let held = 0;
  const disposeOf = (entry: Entry<V>) => {
    if (dispose && entry.isForgotten && entry.users === 0) entry.value.then(dispose, () => undefined);
  };
  const forget = (key: string, entry: Entry<V>) => {
    held -= entry.size;
    entries.delete(key);
    entry.isForgotten = true;
    disposeOf(entry);
  };
  const add = (key: string) => {
    loads++;
    const entry: Entry<V> = { value: load(key), size: 0, users: 0, isForgotten: false };
    entries.set(key, entry);
    entry.value.then(
      (value) => {
        if (entry.isForgotten) return;
        entry.size = sizeOf(value);
        held += entry.size;
        for (const [oldestKey, oldest] of entries) {
          if (held <= limit) break;
          if (oldest !== entry && oldest.size > 0) forget(oldestKey, oldest);
        }
      },
      () => {
        failed++;
        if (!entry.isForgotten) forget(key, entry);
      },
    );
    return entry;
  };
  const find = (key: string) => {
    const entry = entries.get(key);
    if (!entry) return add(key);
    hits++;
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
        disposeOf(entry);
      }
    },
    clear() {
      for (const [key, entry] of entries) forget(key, entry);
    },
    stats: () => ({ loads, failed, hits, held }),
  };
}
