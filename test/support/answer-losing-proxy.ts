import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/**
 * A TCP proxy on the loopback interface, in front of an HTTP server. It forwards the first request whose first line
 * matches, waits until it is answered, and cuts the connection instead of returning the answer.
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
      // An interim answer asks the client for the body; the request continues.
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
