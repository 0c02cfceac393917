import { FourfoldError, systemErrorCode, type ErrorCode } from '@fourfold/common';
import { decodeEntities } from './entities.js';
import { keysHint, renewHint } from './key-source.js';
import type { S3Settings } from './settings.js';

/** Whether this is an error of minio's client, which is loaded only when needed. */
const isS3Error = (error: unknown): error is Error => error instanceof Error && error.name === 'S3Error';

/** The code of an S3 service's refusal; undefined for other failures. */
export const s3ErrorCode = (error: unknown): string | undefined =>
  isS3Error(error) && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const passingS3Codes = new Set([
  'ConditionalRequestConflict',
  'InternalError',
  'OperationAborted',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'SlowDownRead',
  'SlowDownWrite',
  'XMinioServerNotInitialized',
]);

const passingSystemCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** Whether the same request may succeed later: the service is unavailable, starting or busy. */
export function isPassing(error: unknown): boolean {
  // The service that supplies keys is unavailable.
  if (error instanceof FourfoldError) return error.code === 'unavailable';
  if (isS3Error(error)) return passingS3Codes.has(s3ErrorCode(error) ?? '');
  if (passingSystemCodes.has(systemErrorCode(error) ?? '')) return true;
  // The client's error for statuses such as 429, 502 and 503.
  return error instanceof Error && error.message.includes('Retryable HTTP status');
}

type Refusal = [code: ErrorCode, problem: string, hint?: string | ((settings: S3Settings, error: Error) => string)];

const keysRefused: Refusal = ['refused', 'is not allowed', ({ keys }) => keysHint(keys)];
const keysExpired: Refusal = [
  'refused',
  'is not allowed: the temporary keys have expired',
  ({ keys }) => renewHint(keys),
];
const otherRegion: Refusal = ['refused', 'is in a region other than the configured one', regionHint];

const refusals: Record<string, Refusal> = {
  NoSuchKey: ['not-found', 'does not exist'],
  NoSuchBucket: ['not-found', 'does not exist: the bucket does not exist'],
  NotFound: ['not-found', 'does not exist'],
  NoSuchUpload: ['not-found', 'could not be written: the service does not know the upload'],
  NotImplemented: ['invalid', 'could not be written: the service does not support the request'],
  PreconditionFailed: ['conflict', 'already exists'],
  AccessDenied: keysRefused,
  InvalidAccessKeyId: keysRefused,
  InvalidToken: keysRefused,
  InvalidTokenId: keysRefused,
  SignatureDoesNotMatch: keysRefused,
  ExpiredToken: keysExpired,
  ExpiredTokenException: keysExpired,
  TokenRefreshRequired: keysExpired,
  AuthorizationHeaderMalformed: otherRegion,
  IllegalLocationConstraintException: otherRegion,
  InvalidRegion: otherRegion,
  MovedPermanently: otherRegion,
  PermanentRedirect: otherRegion,
  RequestTimeTooSkewed: [
    'refused',
    'is not allowed: this machine’s clock is wrong',
    'set the clock, for instance by NTP',
  ],
  XMinioStorageFull: ['no-space', 'could not be written: the object store is full', 'free some space'],
  XMinioAdminBucketQuotaExceeded: ['no-space', 'could not be written: the bucket is full', 'free some space'],
};

/** The error for a failure with the object `name`. The service's own error may hold parts of the signed request and is not passed on. */
export function toFourfoldError(name: string, error: unknown, settings: S3Settings): FourfoldError {
  if (error instanceof FourfoldError) return error;
  const s3Code = s3ErrorCode(error);
  const [code, problem, hint = addressHint(error)] = refusals[s3Code ?? ''] ?? ['unavailable', 'could not be reached'];
  // The client does not decode XML entities, nor remove MinIO's quotes around a message from a header.
  const message = decodeEntities(error instanceof Error ? error.message : String(error)).replace(/^"(.*)"$/s, '$1');
  const cause = new Error([s3Code, message].filter(Boolean).join(': ') || 'the answer is not from an S3 service');
  const shownHint = typeof hint === 'function' ? hint(settings, error as Error) : hint;
  return new FourfoldError(code, `${name} ${problem}`, { hint: shownHint, cause });
}

function addressHint(error: unknown): string | undefined {
  if (isS3Error(error) && s3ErrorCode(error) === undefined) return 'check FOURFOLD_S3_ENDPOINT';
  return /CERT|ERR_TLS|SIGNATURE|EPROTO/.test(systemErrorCode(error) ?? '')
    ? 'check http or https in FOURFOLD_S3_ENDPOINT; for your own certificate authority, set NODE_EXTRA_CA_CERTS to its certificate'
    : undefined;
}

/** The service names the region in a header or in its answer. */
function regionHint({ region }: S3Settings, error: Error): string {
  const { amzBucketRegion, region: answered } = error as Error & Partial<Record<'amzBucketRegion' | 'region', string>>;
  const expected = amzBucketRegion ?? answered ?? /expecting (?:'|&#39;)([\w-]+)/.exec(error.message)?.[1];
  return expected && expected !== region
    ? `set FOURFOLD_S3_REGION=${expected}; the configured region is ${region}`
    : `set FOURFOLD_S3_REGION to the bucket's region, which is not ${region}, and FOURFOLD_S3_ENDPOINT to that region's endpoint`;
}
