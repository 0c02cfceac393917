import { sha256 } from '@fourfold/common';

/** What a worker knows of a data-loader. */
export interface KnownLoader {
  id: string;
  /** When it last announced itself. */
  seenMs: number;
  /** It takes no more requests. */
  draining: boolean;
  /** Until when others are asked first, since it was late or answered nonsense. */
  avoidedUntilMs: number;
}

export const isLive = ({ seenMs, draining }: KnownLoader, nowMs: number, silenceMs: number): boolean =>
  !draining && nowMs - seenMs <= silenceMs;

/**
 * The live data-loaders in the order in which they are asked for a replica's batches: the highest of the hashes of
 * (replica, data-loader) first, so that a replica stays with its data-loader while that lives, and moves with it alone (rendezvous hashing,
 * Thaler and Ravishankar 1998). Those that are avoided come last.
 */
export function loadersInOrder(loaders: KnownLoader[], replica: number, nowMs: number, silenceMs: number): string[] {
  const ranked = loaders
    .filter((loader) => isLive(loader, nowMs, silenceMs))
    .map(({ id, avoidedUntilMs }) => ({ id, avoided: avoidedUntilMs > nowMs, hash: sha256(`${replica}/${id}`) }));
  ranked.sort((a, b) => Number(a.avoided) - Number(b.avoided) || (a.hash < b.hash ? 1 : -1));
  return ranked.map(({ id }) => id);
}
