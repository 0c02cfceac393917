import type { Socket } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { withDeadline } from '@fourfold/common';

/** How a TLS connection went. */
export interface TlsProbe {
  /** The handshake was done on this side: in TLS 1.3 a server refuses a client's certificate after that. */
  isSecure: boolean;
  /** What ended it: the server's first bytes, its goodbye, an error, or the patience. */
  end: 'data' | 'close' | 'late' | Error;
}

/** Find out how a server takes a TLS connection over `socket`, which is used up. */
export async function probeTls(socket: Socket, options: ConnectionOptions, patienceMs: number): Promise<TlsProbe> {
  const tls = connect({ ...options, socket });
  let isSecure = false;
  tls.once('secureConnect', () => (isSecure = true));
  const ended = new Promise<TlsProbe['end']>((resolve) => {
    socket.on('error', resolve);
    tls.on('error', resolve);
    tls.once('data', () => resolve('data'));
    tls.once('close', () => resolve('close'));
  });
  const end = await withDeadline(ended, patienceMs, () => 'late' as const);
  tls.destroy();
  socket.destroy();
  return { isSecure, end };
}
