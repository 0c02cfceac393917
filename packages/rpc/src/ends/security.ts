import { FourfoldError, isLoopback, parseAddress, type Environment, type Address } from '@fourfold/common';
import { readJoinToken } from '../security/join-token.js';
import { readTlsIdentity, type TlsIdentity } from '../security/tls.js';

/** The protection of this process's gRPC. */
export interface RpcSecurity {
  /**
   * With an identity every connection uses mutual TLS; without one gRPC is limited to this host. It is another one once certificates have
   * been renewed: it is to be read for each connection.
   */
  readonly identity?: TlsIdentity;
  /** The token that workers send to join, and that a coordinator requires. */
  joinToken?: string;
  /** Listen beyond this host even without TLS. */
  allowInsecure: boolean;
}

/** Read it from the environment. Throws `invalid` naming the variable that is wrong. */
export function readRpcSecurity(environment: Environment): RpcSecurity {
  readTlsIdentity(environment);
  return {
    get identity() {
      return readTlsIdentity(environment);
    },
    joinToken: readJoinToken(environment),
    allowInsecure: environment['FOURFOLD_INSECURE'] === '1',
  };
}

/** Check a server's listening address. Throws `invalid` if it is not an address, or is open to other hosts without protection. */
export function listenAddress(listen: string, { identity, allowInsecure }: RpcSecurity): Address {
  const address = parseAddress(listen);
  if (!address) throw new FourfoldError('invalid', `${listen} is not a host:port to listen on`);
  if (!identity && !allowInsecure && !isLoopback(address.host)) {
    throw new FourfoldError('invalid', `${listen} can be reached from other machines, and there is no TLS`, {
      hint: 'set FOURFOLD_TLS_CA, FOURFOLD_TLS_CERTIFICATE and FOURFOLD_TLS_KEY (`fourfold certificates` makes them), or FOURFOLD_INSECURE=1 where the network is trusted',
    });
  }
  return address;
}
