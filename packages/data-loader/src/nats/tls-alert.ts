import { once } from 'node:events';
import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { probeTls } from '@fourfold/rpc';

const patienceMs = 3_000;

/**
 * Why a server ends TLS connections: the alert that it sends. In TLS 1.3 it refuses a client's certificate after the
 * handshake, which the NATS client takes for silence. Undefined if the server (host, port) sends none.
 */
export async function tlsAlert(host: string, port: number, options: ConnectionOptions): Promise<Error | undefined> {
  const signal = AbortSignal.timeout(patienceMs);
  const socket = connect(port, host);
  try {
    // Its greeting, which is in clear text.
    await once(socket, 'data', { signal });
  } catch (error) {
    socket.destroy();
    return signal.aborted ? undefined : (error as Error);
  }
  const { end } = await probeTls(socket, options, patienceMs);
  return end instanceof Error ? end : undefined;
}
