import { FourfoldError, systemErrorCode, type ErrorCode } from '@fourfold/common';
import { errors } from '@nats-io/transport-node';

const checkUrl = 'check nats:// or tls:// in FOURFOLD_NATS_URL';
const checkIdentity = 'check FOURFOLD_TLS_CA, FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY';

/**
 * What a failed attempt to connect means, with the variable to check: `refused` if NATS or this process refuses the other,
 * `invalid` if the address cannot be right; undefined if NATS is down and may come up.
 */
export function refusalOf(error: unknown): FourfoldError | undefined {
  if (!(error instanceof Error)) return undefined;
  const failure = (code: ErrorCode, problem: string, hint: string) =>
    new FourfoldError(code, `NATS ${problem}`, { hint, cause: error });
  if (error instanceof errors.AuthorizationError && /violation/i.test(error.message)) {
    return failure('refused', 'refuses this user', 'check FOURFOLD_NATS_USER and FOURFOLD_NATS_PASSWORD');
  }
  if (error.message.includes("server does not support 'tls'"))
    return failure('invalid', 'does not speak TLS', checkUrl);
  if (error.message === 'unexpected response from server') {
    return failure('invalid', 'is not the server at this address', 'check FOURFOLD_NATS_URL');
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO/.test(systemErrorCode(error) ?? '')) {
    return failure('refused', 'and this process do not trust each other', `${checkIdentity}, and ${checkUrl}`);
  }
  return undefined;
}

/** The error for a permission that batches need and NATS denies this user. */
export function permissionRefusal(error: InstanceType<typeof errors.PermissionViolationError>): FourfoldError {
  return new FourfoldError('refused', `NATS denies this user ${error.operation} permission for ${error.subject}`, {
    hint: 'let the user of FOURFOLD_NATS_USER publish and subscribe to fourfold.> and _INBOX.>',
    cause: error,
  });
}
