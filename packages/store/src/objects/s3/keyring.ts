import { isDeepStrictEqual } from 'node:util';
import type { Environment } from '@fourfold/common';
import { loadKeys, type Keys } from './role-keys.js';
import type { KeySource } from './key-source.js';

/** The keys of one S3 service, renewed when necessary. */
export interface Keyring {
  /** The keys for the next request; undefined if requests are anonymous. Throws like `loadKeys`. */
  keys(): Promise<Keys | undefined>;
  /** Whether to retry a request that was refused with these keys and this code. */
  mayRetry(refused: Keys, code: string): Promise<boolean>;
  /** Report that a request was accepted. */
  worked(): void;
}

/** Temporary keys are renewed `aheadMs` before they expire, and requested at most every `pauseMs`. */
const aheadMs = 300_000;
const pauseMs = 30_000;
/** How late the renewal of key files may be, after keys that were accepted are refused. */
const lateMs = 60_000;
/** How often other keys are tried before any request is accepted again. */
const maxTries = 3;

const refusals = new Set([
  ...['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'],
  ...['InvalidAccessKeyId', 'InvalidToken', 'InvalidTokenId', 'SignatureDoesNotMatch'],
]);

/** Parts that tests replace. */
interface Seams {
  now?: () => number;
  load?: typeof loadKeys;
}

/** Create a keyring for the keys of a source. */
export function createKeyring(
  source: KeySource,
  environment: Environment,
  { now = Date.now, load = loadKeys }: Seams = {},
): Keyring {
  let current: Keys | undefined;
  let loading: Promise<Keys> | undefined;
  let askAgainMs = 0;
  let isTrusted = false;
  let refusedSinceMs: number | undefined;
  let tries = 0;

  const renew = (from: Exclude<KeySource, { from: 'nobody' }>): Promise<Keys> => {
    askAgainMs = now() + pauseMs;
    loading ??= load(from, environment)
      .then((keys) => (current = keys))
      .finally(() => (loading = undefined));
    return loading;
  };
  const isDue = ({ expiresAtMs = Infinity }: Keys) =>
    now() >= expiresAtMs || (now() >= expiresAtMs - aheadMs && now() >= askAgainMs);

  return {
    async keys() {
      if (source.from === 'nobody') return undefined;
      const held = current;
      if (held && !isDue(held)) return held;
      try {
        return await renew(source);
      } catch (error) {
        if (held && now() < (held.expiresAtMs ?? Infinity)) return held;
        throw error;
      }
    },
    async mayRetry(refused, code) {
      if (source.from === 'nobody') return false;
      // A refusal of a request without a body has no reason. Files are then read again, but a service is not asked.
      const isUnexplained = code === 'AccessDenied' && source.from === 'variables';
      if (!refusals.has(code) && !isUnexplained) return false;
      const found = current === refused ? await renew(source).catch(() => refused) : current;
      const isOther = !isDeepStrictEqual(withoutDate(found), withoutDate(refused));
      if (isTrusted && !isUnexplained) {
        refusedSinceMs ??= now();
        if (now() - refusedSinceMs < lateMs) return true;
      }
      // Keys renewed even later are tried, too.
      return isOther && ++tries <= maxTries;
    },
    worked() {
      isTrusted = true;
      refusedSinceMs = undefined;
      tries = 0;
    },
  };
}

const withoutDate = (keys: Keys | undefined) => ({ ...keys, expiresAtMs: undefined });
