import type { Metrics } from '@fourfold/common';
import type { OnReached } from '../stream/receiver.js';

/*
 * What this process has received from the hops before it on a chain, and how long it waited for that.
 */

/** What passes along a chain. */
const hopKinds = ['sum', 'parameters'] as const;
type HopKind = (typeof hopKinds)[number];

/** Peers that are counted: those that sent last. A process has one or two at a time, and others when workers come and go. */
const peersCounted = 16;

export interface HopCounts {
  /** From a peer, which is an address, have come so many bytes, for which it was waited so long. */
  add(kind: HopKind, peer: string, bytes: number, waitedMs: number): void;
  /** Says, as parameters from a peer come from now on, how far they are, and counts that. */
  reaching(peer: string, onReached: OnReached): OnReached;
  /** The pieces of a sum from a peer, counted as they come. */
  counted<Piece extends { bytes: Uint8Array }>(peer: string, pieces: AsyncIterable<Piece>): AsyncGenerator<Piece>;
  read(): { kind: HopKind; peer: string; bytes: number; waitedMs: number }[];
}

export function createHopCounts(now = () => performance.now()): HopCounts {
  const counts = new Map<string, { kind: HopKind; peer: string; bytes: number; waitedMs: number }>();
  const add: HopCounts['add'] = (kind, peer, bytes, waitedMs) => {
    const key = `${kind} ${peer}`;
    const before = counts.get(key) ?? { kind, peer, bytes: 0, waitedMs: 0 };
    counts.delete(key);
    counts.set(key, { ...before, bytes: before.bytes + bytes, waitedMs: before.waitedMs + waitedMs });
    if (counts.size <= peersCounted) return;
    const [oldest] = counts.keys();
    counts.delete(oldest);
  };
  return {
    add,
    reaching(peer, onReached) {
      let [reached, sinceMs] = [0, now()];
      return (end, header) => {
        add('parameters', peer, end - reached, now() - sinceMs);
        [reached, sinceMs] = [end, now()];
        onReached(end, header);
      };
    },
    async *counted(peer, pieces) {
      let askedMs = now();
      for await (const piece of pieces) {
        add('sum', peer, piece.bytes.byteLength, now() - askedMs);
        yield piece;
        askedMs = now();
      }
    },
    read: () => [...counts.values()],
  };
}

/** Add the metrics of what came along chains. */
export function addHopMetrics({ counter }: Metrics, counts: Pick<HopCounts, 'read'>): void {
  const labels = ['kind', 'peer'];
  const read = () => {
    const all = counts.read();
    // What has not come yet is zero, and not absent.
    const none = hopKinds.filter((kind) => all.every((count) => count.kind !== kind));
    return [...all, ...none.map((kind) => ({ kind, peer: '', bytes: 0, waitedMs: 0 }))];
  };
  counter(
    'fourfold_hop_bytes_total',
    'Bytes along a chain from the hop before this process, which it names: sums, parameters.',
    labels,
    () => read().map(({ kind, peer, bytes }) => [{ kind, peer }, bytes]),
  );
  counter(
    'fourfold_hop_wait_seconds_total',
    'Time that this process has waited for them. All behind a slow worker wait; the first of them names it.',
    labels,
    () => read().map(({ kind, peer, waitedMs }) => [{ kind, peer }, waitedMs / 1000]),
  );
}
