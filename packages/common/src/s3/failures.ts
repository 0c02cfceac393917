import { FourfoldError, systemErrorCode, type ErrorCode } from '../errors.js';

/** An error of minio's client, which is loaded when it is needed. */
const isS3Error = (error: unknown): error is Error => error instanceof Error && error.name === 'S3Error';

/** The code that an S3 service gave its refusal; undefined for failures of another kind. */
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

/** Whether the same request may succeed later: the service is away, starting or busy. */
export function isPassing(error: unknown): boolean {
  if (isS3Error(error)) return passingS3Codes.has(s3ErrorCode(error) ?? '');
  if (passingSystemCodes.has(systemErrorCode(error) ?? '')) return true;
  // What the client makes of the statuses 429, 502, 503 and their like.
  return error instanceof Error && error.message.includes('Retryable HTTP status');
}

const checkKeys = 'check FOURFOLD_S3_ACCESS_KEY and FOURFOLD_S3_SECRET_KEY, and what these keys may do';

const refusals: Record<string, [code: ErrorCode, problem: string, mend?: string]> = {
  NoSuchKey: ['not-found', 'does not exist'],
  NoSuchBucket: ['not-found', 'does not exist: there is no such bucket'],
  NotFound: ['not-found', 'does not exist'],
  NoSuchUpload: ['not-found', 'could not be written: the service does not know of the upload'],
  NotImplemented: ['invalid', 'could not be written: the service does not offer such a request'],
  PreconditionFailed: ['conflict', 'exists already'],
  AccessDenied: ['refused', 'is not allowed', checkKeys],
  InvalidAccessKeyId: ['refused', 'is not allowed', checkKeys],
  SignatureDoesNotMatch: ['refused', 'is not allowed', checkKeys],
  XMinioStorageFull: ['no-space', 'could not be written: the object store is full', 'free some space'],
  XMinioAdminBucketQuotaExceeded: ['no-space', 'could not be written: the bucket is full', 'free some space'],
};

/** What a failure means for the object `name`. The service's own error can hold parts of the signed request: it stays here. */
export function toFourfoldError(name: string, error: unknown): FourfoldError {
  if (error instanceof FourfoldError) return error;
  const s3Code = s3ErrorCode(error);
  const [code, problem, mend] = refusals[s3Code ?? ''] ?? ['unavailable', 'could not be reached'];
  const message = error instanceof Error ? error.message : String(error);
  const cause = new Error([s3Code, message].filter(Boolean).join(': ') || 'the answer was none of an S3 service');
  return new FourfoldError(code, `${name} ${problem}`, { mend: mend ?? addressMend(error), cause });
}

function addressMend(error: unknown): string | undefined {
  if (isS3Error(error) && s3ErrorCode(error) === undefined) return 'check FOURFOLD_S3_ENDPOINT';
  return /CERT|ERR_TLS|SIGNATURE|EPROTO/.test(systemErrorCode(error) ?? '')
    ? 'check http or https in FOURFOLD_S3_ENDPOINT; NODE_EXTRA_CA_CERTS names the certificate of an authority of your own'
    : undefined;
}
