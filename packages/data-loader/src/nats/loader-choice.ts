/** What a worker knows about a data-loader. */
export interface KnownLoader {
  id: string;
  /** When it last announced itself. */
  seenMs: number;
  /** It accepts no more requests. */
  draining: boolean;
  /** Others are asked first until then, since it was late or sent a bad answer. */
  avoidedUntilMs: number;
  /** Its host. */
  machine: string;
}

export const isLive = ({ seenMs, draining }: KnownLoader, nowMs: number, silenceMs: number): boolean =>
  !draining && nowMs - seenMs <= silenceMs;

/**
 * The live data-loaders in the order in which they are asked for the batches of one of a run's replicas. The first is its own: each
 * replica in turn takes the data-loader with the highest hash of (replica, data-loader) among those that are not full. One is full
 * with an even share of the replicas, rounded up (consistent hashing with bounded loads, Mirrokni et al. 2018). So a replica stays
 * with its data-loader while that lives, all have work, and workers need not agree. The others follow by their hashes, avoided ones
 * last.
 */
export function loadersInOrder(
  loaders: KnownLoader[],
  { replica, replicas }: { replica: number; replicas: number },
  nowMs: number,
  silenceMs: number,
): string[] {
  const live = loaders.filter((loader) => isLive(loader, nowMs, silenceMs));
  const isAvoided = ({ avoidedUntilMs }: KnownLoader) => avoidedUntilMs > nowMs;
  const idsOf = (some: KnownLoader[]) => some.map(({ id }) => id);
  const [good, avoided] = [live.filter((loader) => !isAvoided(loader)), live.filter(isAvoided)].map(idsOf);
  const own = ownLoader(good.length > 0 ? good : avoided, replica, replicas);
  const inOrder = [...byHash(good, replica), ...byHash(avoided, replica)];
  return own === undefined ? inOrder : [own, ...inOrder.filter((id) => id !== own)];
}

function ownLoader(ids: string[], replica: number, replicas: number): string | undefined {
  const share = Math.ceil(replicas / ids.length);
  const taken = new Map<string, number>();
  let own: string | undefined;
  for (let each = 0; each <= replica; each++) {
    own = byHash(ids, each).find((id) => (taken.get(id) ?? 0) < share);
    if (own !== undefined) taken.set(own, (taken.get(own) ?? 0) + 1);
  }
  return own;
}

const byHash = (ids: string[], replica: number): string[] =>
  ids
    .map((id) => ({ id, hash: hashOf(replica, id) }))
    .sort((a, b) => (a.hash < b.hash ? 1 : -1))
    .map(({ id }) => id);

/** A hash of 32 bits (FNV-1a with MurmurHash3's finaliser): a request computes one for every pair of replica and data-loader. */
function hashOf(replica: number, id: string): number {
  let hash = 0x811c9dc5;
  for (const character of `${replica}/${id}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
