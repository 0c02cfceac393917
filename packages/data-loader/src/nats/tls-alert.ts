import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

const patienceMs = 3_000;

/**
 * Why a server ends TLS connections: the alert that it sends. In TLS 1.3 it refuses a client's certificate after the
 * handshake, which the NATS client takes for silence. Undefined if the server (host, port) sends none.
 */
export async function tlsAlert(host: string, port: number, options: ConnectionOptions): Promise<Error | undefined> {
  const signal = AbortSignal.timeout(patienceMs);
  const socket = connectTcp(port, host);
  try {
    // Its greeting, which is in clear text.
    await once(socket, 'data', { signal });
    const secure = connectTls({ ...options, socket });
    secure.resume();
    await once(secure, 'close', { signal });
    return undefined;
  } catch (error) {
    return signal.aborted ? undefined : (error as Error);
  } finally {
    socket.destroy();
  }
}
