/**
 * How much of each replica's gradient is in the sum, for later replicas to wait for: every element adds the replicas in
 * their order.
 */
export interface ReplicaOrder {
  /** Bytes of the replica's wire vector that are in the sum. */
  of(replica: number): number;
  advance(replica: number, bytes: number): void;
  /** Resolves once `replica` has come that far; at once for a negative number. Rejects after `stop`. */
  reached(replica: number, bytes: number): Promise<void>;
  /** Let no replica advance from now on. */
  stop(reason: Error): void;
}

/** The order of one half's reduction, from an empty sum. */
export function createReplicaOrder(): ReplicaOrder {
  const progress = new Map<number, number>();
  const waiting = new Set<{ isDue: () => boolean; resolve: () => void; reject: (reason: Error) => void }>();
  let stopped: Error | undefined;
  const of = (replica: number) => progress.get(replica) ?? 0;
  return {
    of,
    advance(replica, bytes) {
      progress.set(replica, bytes);
      for (const waiter of waiting) if (waiter.isDue() && waiting.delete(waiter)) waiter.resolve();
    },
    reached(replica, bytes) {
      const isDue = () => replica < 0 || of(replica) >= bytes;
      if (isDue()) return Promise.resolve();
      if (stopped) return Promise.reject(stopped);
      return new Promise((resolve, reject) => waiting.add({ isDue, resolve, reject }));
    },
    stop(reason) {
      stopped ??= reason;
      for (const { reject } of waiting) reject(stopped);
      waiting.clear();
    },
  };
}
