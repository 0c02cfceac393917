import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { roleName, type Role } from '../security/roles.js';
import { systemErrorCode } from '../errors.js';
import { peerAddress, type Address } from './address.js';
import { readRpcSecurity, type RpcSecurity } from './security.js';

/*
 * Why two processes do not trust each other. gRPC says no more than that there is no connection, which is also what it says
 * of a server that is not there yet; a process must know whether to wait or to give up.
 */

const probeMs = 2_000;
/** A connection may break for other reasons, once. */
const probes = 3;
const betweenProbesMs = 200;

/**
 * Look for the reason why no connection to `server` at `address` comes about: one side speaks TLS and the other does not,
 * or refuses its certificate. Undefined where that is not the reason, or no longer is.
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
      : // Only to see whether it answers; nothing is sent to it.
        connectTls({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    let isSecure = false;
    tls.once('secureConnect', () => {
      isSecure = true;
      if (!identity)
        end(
          'speaks TLS and demands a certificate, of which this process has none: set FOURFOLD_TLS_CA, FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY',
        );
    });
    // The first thing that HTTP/2's server says.
    tls.once('data', () => end());
    tls.on('error', (error) => end(isSecure || !identity ? undefined : describe(error, server)));
    tls.once('close', () =>
      end(isSecure ? 'refuses this process’s certificate: is it of the same authority, and still valid?' : undefined),
    );
  });
}

function describe(error: Error, server: Role): string | undefined {
  const code = systemErrorCode(error) ?? '';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'speaks no TLS, which this process demands';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `shows a certificate that is not for the role ${server}`;
  // What OpenSSL finds wrong with a certificate has codes in words.
  if (/CERT|SIGNATURE|ISSUER|CRL|CA_/.test(code))
    return `shows a certificate that the authority in FOURFOLD_TLS_CA does not vouch for (${code})`;
  return undefined;
}
