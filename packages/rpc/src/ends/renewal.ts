import { X509Certificate } from 'node:crypto';
import type { Server } from 'node:tls';
import type { Logger } from '@fourfold/common';
import type { TlsIdentity } from '../security/tls.js';
import type { RpcSecurity } from './security.js';

const dayMs = 86_400_000;
/** Warn in the last tenth of a certificate's life, but not for longer than this: who renews in time has done so before. */
const longestWarningMs = 30 * dayMs;

/** Have a server show each new connection the certificate that its files hold then; connections that exist go on. */
export function followRenewal(listener: Server, security: RpcSecurity, log: Logger | undefined): void {
  let shown = security.identity;
  if (shown) warnOfExpiry(shown, log);
  // Before the listener that begins the handshake.
  listener.prependListener('connection', () => {
    const { identity } = security;
    if (!identity || identity === shown) return;
    shown = identity;
    listener.setSecureContext({ ca: identity.authority, cert: identity.certificate, key: identity.key });
    log?.info(
      { event: 'certificate-renewed', validUntil: datesOf(identity.certificate)[1].toISOString() },
      'the certificate is renewed',
    );
    warnOfExpiry(identity, log);
  });
}

function warnOfExpiry({ certificate }: TlsIdentity, log: Logger | undefined): void {
  const [begin, end] = datesOf(certificate);
  const warningMs = Math.min(longestWarningMs, (end.getTime() - begin.getTime()) / 10);
  if (end.getTime() - Date.now() > warningMs) return;
  const validUntil = end.toISOString();
  log?.warn(
    { event: 'certificate-expires', validUntil },
    'the certificate of this process expires soon, or has expired',
  );
}

function datesOf(certificate: string): [begin: Date, end: Date] {
  const { validFrom, validTo } = new X509Certificate(certificate);
  return [new Date(validFrom), new Date(validTo)];
}
