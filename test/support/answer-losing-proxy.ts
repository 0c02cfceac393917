import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/**
 * A TCP proxy on the loopback interface before an HTTP server. Of the requests whose first line matches it passes the first
 * one on, waits until it is answered, and cuts the connection instead of passing the answer back.
 */
export async function startAnswerLosingProxy(port: number, requestLine: RegExp) {
  let lost = 0;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let loses = false;
    client.on('data', (data) => {
      const [line] = data.toString('latin1').split('\r\n', 1);
      if (lost === 0 && requestLine.test(line)) loses = true;
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      // What asks the client for the body, while the request goes on.
      const isInterim = data.toString('latin1').startsWith('HTTP/1.1 100');
      if (!loses || isInterim) return client.write(data);
      lost++;
      client.destroy();
      upstream.destroy();
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    lostAnswers: () => lost,
    close: () => void server.close(),
  };
}
