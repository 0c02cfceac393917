export interface ObjectInfo {
  key: string;
  sizeBytes: number;
}

export interface PutOptions {
  /** Only if no such object exists yet. */
  ifAbsent?: boolean;
  /** Limits how long the put is retried while the store is unavailable, below the store's own patience. For small objects. */
  patienceMs?: number;
}

/**
 * Holds shards, checkpoints and a run's records. Keys are slash-separated paths below the store's URL. A put is atomic: readers see the
 * whole object or none.
 */
export interface ObjectStore {
  readonly url: string;
  /** The object's bytes. Throws `not-found`. */
  get(key: string): Promise<Buffer>;
  /**
   * The object's bytes from `begin` on (0 by default, less than its size), in pieces as they arrive. Throws `not-found`, or `conflict` if
   * the object is replaced meanwhile.
   */
  read(key: string, begin?: number): AsyncIterable<Uint8Array>;
  /** Store an object, replacing an older one. Throws `no-space`; with `ifAbsent`, `conflict` if the key exists. */
  put(key: string, body: Uint8Array | string, options?: PutOptions): Promise<void>;
  /** The file of an object, if the store is a folder on this machine. Throws `invalid` for a key that leads out of it. */
  filePath?(key: string): string;
  /** All objects whose key starts with `prefix`, in ascending order of key. */
  list(prefix: string): Promise<ObjectInfo[]>;
  /** Remove an object; removing one that does not exist is not an error. */
  remove(key: string): Promise<void>;
  /** Remove leftovers of killed puts from folder `key`, and the folder itself if it is then empty. No process may write there meanwhile. */
  tidyFolder(key: string): Promise<void>;
  /** The store of the objects below `prefix`. */
  at(prefix: string): ObjectStore;
}
