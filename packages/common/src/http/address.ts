import { isIP } from 'node:net';
import { FourfoldError } from '../errors/errors.js';

/** The address at which a server listens, or is reached. */
export interface Address {
  /** A name or an IP address, without brackets. */
  host: string;
  port: number;
}

const hostName = /^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$/i;
const pattern = /^(?:\[(?<v6>[0-9a-f:.]{2,45})\]|(?<host>[^:[\]/]+)):(?<port>\d{1,5})$/i;

/** Parse `host:port`, IPv6 in brackets; undefined for anything else, such as a scheme of gRPC's, a path or a port out of range. */
export function parseAddress(text: string): Address | undefined {
  const { v6, host = v6, port } = pattern.exec(text)?.groups ?? {};
  const isHost = v6 ? isIP(v6) === 6 : hostName.test(host ?? '');
  return isHost && Number(port) <= 65_535 ? { host, port: Number(port) } : undefined;
}

/** Parse the address of a server to dial. Throws `mismatch` if it is not one. */
export function peerAddress(text: string): Address {
  const address = parseAddress(text);
  if (address && address.port > 0) return address;
  throw new FourfoldError('mismatch', `${JSON.stringify(text.slice(0, 100))} is not a host:port`);
}

/** gRPC's target for an address. The scheme is given so that a host such as `unix` is not taken for one. */
export const targetOf = ({ host, port }: Address): string => `dns:///${isIP(host) === 6 ? `[${host}]` : host}:${port}`;

/** Whether only processes on this host can reach it. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
