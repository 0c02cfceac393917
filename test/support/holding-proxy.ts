import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * A TCP proxy on the loopback interface, in front of an HTTP server. It holds requests whose first line matches
 * until it is released, also repeated ones; all others pass.
 */
export async function startHoldingProxy(port: number, requestLine: RegExp) {
  const sockets = new Set<Socket>();
  let isReleased = false;
  let onHeld = () => undefined as void;
  const held = new Promise<void>((resolve) => (onHeld = resolve));
  let release = () => undefined as void;
  const released = new Promise<void>((resolve) => (release = resolve)).then(() => void (isReleased = true));

  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    client.on('data', (data) => {
      const [line] = data.toString('latin1').split('\r\n', 1);
      if (isReleased || !requestLine.test(line)) return upstream.write(data);
      client.pause();
      onHeld();
      void released.then(() => {
        upstream.write(data);
        client.resume();
      });
    });
    upstream.on('data', (data) => client.write(data));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    /** Resolves when the request has arrived. */
    held,
    release,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
