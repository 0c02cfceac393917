import type { Environment } from '../environment.js';
import { FourfoldError } from '../errors.js';
import { readJoinToken } from '../security/join-token.js';
import { readTlsIdentity, type TlsIdentity } from '../security/tls.js';
import { isLoopback, parseAddress, type Address } from './address.js';

/** How this process's gRPC is protected. */
export interface RpcSecurity {
  /** With it every connection is mutual TLS; without it gRPC is for this host alone. */
  identity?: TlsIdentity;
  /** What workers show to join, and what a coordinator demands of them. */
  joinToken?: string;
  /** Listen beyond this host without TLS all the same. */
  allowInsecure: boolean;
}

/** As the environment has it. Throws `invalid` naming the variable that is wrong. */
export const readRpcSecurity = (environment: Environment): RpcSecurity => ({
  identity: readTlsIdentity(environment),
  joinToken: readJoinToken(environment),
  allowInsecure: environment['FOURFOLD_INSECURE'] === '1',
});

/** Check where a server is to listen. Throws `invalid` on what is no address, or is open to others without protection. */
export function listenAddress(listen: string, { identity, allowInsecure }: RpcSecurity): Address {
  const address = parseAddress(listen);
  if (!address) throw new FourfoldError('invalid', `${listen} is no host:port to listen on`);
  if (!identity && !allowInsecure && !isLoopback(address.host)) {
    throw new FourfoldError('invalid', `${listen} can be reached from other machines, and there is no TLS`, {
      hint: 'set FOURFOLD_TLS_CA, FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY (`fourfold certificates` makes them), or FOURFOLD_INSECURE=1 where the network is trusted',
    });
  }
  return address;
}
