import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { peerAddress, systemErrorCode, type Address, type Role } from '@fourfold/common';
import { roleName } from '../security/roles.js';
import { probeTls } from '../security/tls-probe.js';
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

async function probeOnce(
  { host, port }: Address,
  server: Role,
  { identity }: RpcSecurity,
): Promise<string | undefined> {
  const { isSecure, end } = await probeTls(connect(port, host), probeOptions(server, identity), probeMs);
  if (!identity) {
    return isSecure
      ? 'requires TLS with a certificate, and this process has none: set FOURFOLD_TLS_CA, FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY'
      : undefined;
  }
  if (!isSecure) return end instanceof Error ? describe(end, server) : undefined;
  // An HTTP/2 server that trusts its caller speaks first.
  return end === 'close'
    ? 'refuses this process’s certificate: is it from the same authority, and still valid?'
    : undefined;
}

/** Without an identity only to see whether the server speaks TLS; nothing is sent. */
const probeOptions = (server: Role, identity: RpcSecurity['identity']): ConnectionOptions => ({
  ALPNProtocols: ['h2'],
  ...(identity
    ? { ca: identity.authority, cert: identity.certificate, key: identity.key, servername: roleName(server) }
    : { rejectUnauthorized: false }),
});

function describe(error: Error, server: Role): string | undefined {
  const code = systemErrorCode(error) ?? '';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'does not speak TLS, which this process requires';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `shows a certificate that is not for the role ${server}`;
  // OpenSSL's problems with certificates.
  if (/CERT|SIGNATURE|ISSUER|CRL|CA_/.test(code))
    return `shows a certificate that the authority in FOURFOLD_TLS_CA does not vouch for (${code})`;
  return undefined;
}
