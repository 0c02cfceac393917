import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/**
 * A TCP proxy on the loopback interface, in front of a server. Of all that the server sends it passes `allowedBytes`, unless it is cut
 * before, and the rest once it is released.
 */
export async function startStallingProxy(port: number, allowedBytes = Infinity) {
  let leftBytes = allowedBytes;
  let release = () => undefined as void;
  const released = new Promise<void>((resolve) => (release = resolve));
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    client.on('data', (data) => upstream.write(data));
    upstream.on('data', (data) => {
      leftBytes -= data.length;
      if (leftBytes >= 0) return client.write(data);
      upstream.pause();
      void released.then(() => {
        client.write(data);
        upstream.resume();
      });
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      socket.on('error', () => other.destroy());
      socket.on('end', () => other.end());
      socket.on('close', () => other.destroySoon());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    /** An S3 endpoint. */
    url: `http://${address}`,
    /** Nothing more passes, though all connections stay. */
    cut() {
      leftBytes = 0;
    },
    /** Also what comes later passes. */
    release() {
      leftBytes = Infinity;
      release();
    },
    close: () => void server.close(),
  };
}
