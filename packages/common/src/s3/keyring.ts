import { isDeepStrictEqual } from 'node:util';
import type { Environment } from '../environment.js';
import { loadKeys, type Keys } from './role-keys.js';
import type { KeySource } from './key-source.js';

/** The keys of one S3 service, as fresh as they must be. */
export interface Keyring {
  /** What signs the next request; undefined where requests are anonymous. Throws as `loadKeys` does. */
  keys(): Promise<Keys | undefined>;
  /** Whether a request that was refused over these keys, with this code of the service's, may be made again. */
  mayRetry(refused: Keys, code: string): Promise<boolean>;
  /** A request was let in. */
  worked(): void;
}

/** Temporary keys are renewed so long before they end, and asked for again no sooner than that. */
const aheadMs = 300_000;
const pauseMs = 30_000;
/** Keys that were good, and are refused: whoever renews their files may be a little late. */
const lateMs = 60_000;
/** How often other keys are tried for a request where none was ever let in. */
const maxTries = 3;

const refusals = new Set([
  ...['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'],
  ...['InvalidAccessKeyId', 'InvalidToken', 'InvalidTokenId', 'SignatureDoesNotMatch'],
]);

/** The parts that tests replace. */
interface Seams {
  now?: () => number;
  load?: typeof loadKeys;
}

/** Keep the keys of a source. */
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
      // A request without a body is refused without a reason. Files are looked at for it; a service is not asked.
      const isUnexplained = code === 'AccessDenied' && source.from === 'variables';
      if (!refusals.has(code) && !isUnexplained) return false;
      const found = current === refused ? await renew(source).catch(() => refused) : current;
      const isOther = !isDeepStrictEqual(withoutDate(found), withoutDate(refused));
      if (isTrusted && !isUnexplained) {
        refusedSinceMs ??= now();
        if (now() - refusedSinceMs < lateMs) return true;
      }
      // Also keys that come later than that are tried.
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
