import { X509Certificate } from 'node:crypto';
import type { Server } from 'node:tls';
import type { Logger, Metrics } from '@fourfold/common';
import { readTlsIdentity, type TlsIdentity } from '../security/tls.js';
import type { RpcSecurity } from './security.js';

const dayMs = 86_400_000;
/** Warn in the last tenth of a certificate's life, but not for longer than this: who renews in time has done so before. */
const longestWarningMs = 30 * dayMs;

/** Have a server show each new connection the certificate that its files hold then; connections that exist go on. */
export function followRenewal(listener: Server, security: RpcSecurity, log: Logger | undefined): void {
  let shown = security.identity;
  if (shown) warnOfExpiry(shown, log);
  // A run may last longer than its certificates.
  const daily = setInterval(() => security.identity && warnOfExpiry(security.identity, log), dayMs);
  daily.unref();
  listener.once('close', () => clearInterval(daily));
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

/** A metric of every part that uses TLS. */
export function addCertificateMetrics({ gauge }: Pick<Metrics, 'gauge'>): void {
  const help = 'When the certificate of this process expires, in seconds since 1970.';
  gauge('fourfold_certificate_expiry_timestamp_seconds', help, [], certificateExpirySeconds);
}

/** When this process's certificate expires; undefined without TLS. */
export function certificateExpirySeconds(): number | undefined {
  const identity = readTlsIdentity(process.env);
  return identity && datesOf(identity.certificate)[1].getTime() / 1000;
}

function datesOf(certificate: string): [begin: Date, end: Date] {
  const { validFrom, validTo } = new X509Certificate(certificate);
  return [new Date(validFrom), new Date(validTo)];
}
