import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { roleName, type Role } from '../security/roles.js';
import { systemErrorCode, peerAddress, type Address } from '@fourfold/common';
import { readRpcSecurity, type RpcSecurity } from './security.js';

/*
 * Why two processes do not trust each other. gRPC reports only that there is no connection, as for a server that is not up yet; a process
 * must know whether to wait or to give up.
 */

const probeMs = 2_000;
/** A single connection may break for other reasons. */
const probes = 3;
const betweenProbesMs = 200;

/**
 * Find out why there is no connection to `server` at `address`: only one side uses TLS, or one refuses the other's certificate. Undefined
 * if the reason is another, or has passed.
 */
export async function whyNoTrust(
  address: string,
  server: Role,
  security: RpcSecurity = readRpcSecurity(process.env),
): Promise<string | undefined> {
  const place = peerAddress(address);
  let reason: string | undefined;
  for (let probe = 0; probe < probes; probe++) {
    if (probe > 0) await delay(betweenProbesMs);
    reason = await probeOnce(place, server, security);
    if (reason === undefined) return undefined;
  }
  return `the ${server} at ${address} ${reason}`;
}

function probeOnce({ host, port }: Address, server: Role, { identity }: RpcSecurity): Promise<string | undefined> {
  return new Promise((resolve) => {
    const tcp = connectTcp(port, host);
    const end = (reason?: string) => {
      clearTimeout(timer);
      tls.destroy();
      tcp.destroy();
      resolve(reason);
    };
    const timer = setTimeout(end, probeMs);
    tcp.on('error', () => end());
    const tls: Socket = identity
      ? connectTls({
          socket: tcp,
          ca: identity.authority,
          cert: identity.certificate,
          key: identity.key,
          servername: roleName(server),
          ALPNProtocols: ['h2'],
        })
      : // Only to see whether it answers; nothing is sent.
        connectTls({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    let isSecure = false;
    tls.once('secureConnect', () => {
      isSecure = true;
      if (!identity)
        end(
          'requires TLS with a certificate, and this process has none: set FOURFOLD_TLS_CA, FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY',
        );
    });
    // An HTTP/2 server speaks first.
    tls.once('data', () => end());
    tls.on('error', (error) => end(isSecure || !identity ? undefined : describe(error, server)));
    tls.once('close', () =>
      end(isSecure ? 'refuses this process’s certificate: is it from the same authority, and still valid?' : undefined),
    );
  });
}

function describe(error: Error, server: Role): string | undefined {
  const code = systemErrorCode(error) ?? '';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'does not speak TLS, which this process requires';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `shows a certificate that is not for the role ${server}`;
  // OpenSSL's problems with certificates.
  if (/CERT|SIGNATURE|ISSUER|CRL|CA_/.test(code))
    return `shows a certificate that the authority in FOURFOLD_TLS_CA does not vouch for (${code})`;
  return undefined;
}
